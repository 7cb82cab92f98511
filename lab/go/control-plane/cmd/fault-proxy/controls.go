// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
)

// controls is where faults are set (POST), seen (GET) and lifted (DELETE).
func controls(faults *faults, token string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /faults", func(w http.ResponseWriter, r *http.Request) {
		fault := &Fault{}
		decoder := json.NewDecoder(r.Body)
		decoder.DisallowUnknownFields()
		err := decoder.Decode(fault)
		if err == nil {
			err = fault.check()
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fault.Hits = 0
		faults.add(fault)
		writeJSON(w, map[string]int{"id": fault.ID})
	})
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, faults.snapshot())
	})
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, r *http.Request) {
		faults.clear()
		writeJSON(w, faults.snapshot())
	})
	expected := []byte("Bearer " + token)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), expected) != 1 {
			http.Error(w, "not with this token", http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func writeJSON(w http.ResponseWriter, content any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(content)
}
