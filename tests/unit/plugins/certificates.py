# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate authority for servers on loopback."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LOOPBACK = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))

_BEGAN = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
_ENDS = datetime.datetime(2100, 1, 1, tzinfo=datetime.timezone.utc)

_USES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
_SIGNS = x509.KeyUsage(
    **dict.fromkeys(_USES, False), key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False
)


@dataclass(frozen=True)
class Authority:
    """Signs certificates.

    :ivar folder: where its own certificate is, as ``ca.crt``
    """

    folder: Path
    key: ec.EllipticCurvePrivateKey
    name: x509.Name

    @classmethod
    def new(cls, folder: Path) -> Authority:
        """Make an authority and write its certificate."""
        folder.mkdir()
        key = ec.generate_private_key(ec.SECP256R1())
        made = cls(folder, key, _name(folder.name))
        certificate = made._certificate(made.name, key, x509.BasicConstraints(ca=True, path_length=None), _SIGNS)
        made.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return made

    @property
    def file(self) -> Path:
        """The certificate to trust."""
        return self.folder / "ca.crt"

    def server(self) -> ssl.SSLContext:
        """Return what a server on loopback encrypts with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.signed("server", LOOPBACK))
        return context

    def signed(self, name: str, *alternatives: x509.GeneralName) -> Path:
        """Return a file with a key and a certificate for *name*, for a server also for its alternative names."""
        key = ec.generate_private_key(ec.SECP256R1())
        extension: x509.ExtensionType = x509.BasicConstraints(ca=False, path_length=None)
        if alternatives:
            extension = x509.SubjectAlternativeName(alternatives)
        certificate = self._certificate(_name(name), key, extension)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        both = self.folder / f"{name}.pem"
        both.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        return both

    def _certificate(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *extensions: x509.ExtensionType
    ) -> x509.Certificate:
        builder = x509.CertificateBuilder(
            issuer_name=self.name,
            subject_name=subject,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=_BEGAN,
            not_valid_after=_ENDS,
        )
        # From 3.13 on, Python needs these two.
        subject_key = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        for extension in (*extensions, subject_key, authority_key):
            critical = isinstance(extension, (x509.BasicConstraints, x509.KeyUsage))
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self.key, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
