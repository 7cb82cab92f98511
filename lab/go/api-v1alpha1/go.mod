module imagemode.openshift/lab/api-v1alpha1

go 1.26

require github.com/openshift/api v0.0.0-20240830023148-b7d0481c9094
