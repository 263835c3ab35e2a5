//go:build wycheproof

package jwe_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/portcullis-go/portcullis/internal/jwe"
)

// TestWycheproof runs the vectors for JWE of Project Wycheproof, which are in the
// folder that WYCHEPROOF names: tools/wycheproof gets them and runs it. Those of
// supported algorithms must be judged as the file says, and all others refused.
func TestWycheproof(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(os.Getenv("WYCHEPROOF"), "json_web_encryption_test.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Count  int `json:"numberOfTests"`
		Groups []struct {
			Private json.RawMessage `json:"private"`
			Tests   []struct {
				ID      int    `json:"tcId"`
				Comment string `json:"comment"`
				Token   string `json:"jwe"`
				Plain   string `json:"pt"`
				Result  string `json:"result"`
			} `json:"tests"`
		} `json:"testGroups"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	total, opened, wrong := 0, 0, 0
	for _, group := range file.Groups {
		var key jose.JSONWebKey
		if err := json.Unmarshal(group.Private, &key); err != nil {
			t.Fatal(err)
		}
		// As with a Verifier that has this key: nothing else says what it is for.
		o := newOpener(jwe.Key{ID: key.KeyID, Private: key.Key})
		supported := slices.Contains(jwe.Algorithms[:], key.Algorithm)
		for _, v := range group.Tests {
			total++
			content, err := o.Decrypt(t.Context(), v.Token)
			if err == nil {
				opened++
			}
			good := err == nil && hex.EncodeToString(content) == v.Plain
			switch {
			case err == nil && (v.Result != "valid" || !good):
				wrong++
				t.Errorf("%d (%s): opened, and must not be", v.ID, v.Comment)
			case err != nil && v.Result == "valid" && supported:
				t.Errorf("%d (%s): %v; want it opened", v.ID, v.Comment, err)
			}
			if _, _, err := o.Open(t.Context(), v.Token); err != jwe.ErrOpen {
				t.Errorf("%d (%s): Open = %v; want ErrOpen: no vector has a JWT inside", v.ID, v.Comment, err)
			}
		}
	}
	if total == 0 || total != file.Count || opened < 20 {
		t.Errorf("%d vectors of %d, %d opened", total, file.Count, opened)
	}
	t.Logf("%d vectors, %d opened, %d wrong accepts", total, opened, wrong)
}
