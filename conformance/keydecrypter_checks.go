package conformance

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/portcullis-go/portcullis/verifier"
)

// decrypterZeros finds numbers that have lost the zeros in front of them: of the
// content key, and of what is sent.
func decrypterZeros(c *decrypterCase) error {
	for _, key := range [][]byte{
		make([]byte, 32), append(make([]byte, 1), bytes.Repeat([]byte{7}, 31)...), append(make([]byte, 20), bytes.Repeat([]byte{7}, 12)...), append(bytes.Repeat([]byte{7}, 31), 0),
	} {
		sent, err := encryptedKey(c.h.PublicKey, key)
		if err != nil {
			return err
		}
		if err := c.decrypts(sent, key); err != nil {
			return fmt.Errorf("with zeros in it: %w", err)
		}
	}
	key := bytes.Repeat([]byte{7}, 32)
	for range 5000 { // one in 256 at least begins with a zero
		sent, err := encryptedKey(c.h.PublicKey, key)
		if err != nil {
			return err
		}
		if sent[0] == 0 {
			return c.decrypts(sent, key)
		}
	}
	return nil
}

func decrypterAgain(c *decrypterCase) error {
	key, sent, err := encrypted(c.h.PublicKey, 32)
	if err != nil {
		return err
	}
	for i := range 5 {
		if err := c.decrypts(sent, key); err != nil {
			return fmt.Errorf("at call %d: %w", i+1, err)
		}
	}
	return nil
}

// decrypterSchemes are keys that this key pair could decrypt in another way than
// the one that is named.
func decrypterSchemes(c *decrypterCase) error {
	key := bytes.Repeat([]byte{7}, 32)
	labelled, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, c.h.PublicKey, key, []byte("label"))
	if err != nil {
		return err
	}
	weak, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, c.h.PublicKey, key, nil)
	if err != nil {
		return err
	}
	old, err := rsa.EncryptPKCS1v15(rand.Reader, c.h.PublicKey, key)
	if err != nil {
		return err
	}
	for what, sent := range map[string][]byte{"a key with a label": labelled, "a key by RSA-OAEP with SHA-1": weak, "a key by RSA1_5": old} {
		if err := c.refuses(what, sent); err != nil {
			return err
		}
	}
	return nil
}

// decrypterAfterRefusals finds counters that shut out everybody.
func decrypterAfterRefusals(c *decrypterCase) error {
	for range 60 {
		_, _ = c.decrypt(c.ctx, oaep256, randomBytes(c.h.PublicKey.Size()))
	}
	for _, length := range contentKeys {
		if err := c.good(length); err != nil {
			return fmt.Errorf("after 60 bad keys: %w", err)
		}
	}
	return nil
}

// decrypterSlices writes into what it gave and got.
func decrypterSlices(c *decrypterCase) error {
	key, sent, err := encrypted(c.h.PublicKey, 32)
	if err != nil {
		return err
	}
	for range 3 {
		given := bytes.Clone(sent)
		got, err := c.decrypter.DecryptKey(c.ctx, oaep256, given)
		if err != nil || !bytes.Equal(got, key) {
			return fmt.Errorf("DecryptKey after the caller wrote into earlier slices = %d octets, %v; want the key", len(got), err)
		}
		if !bytes.Equal(given, sent) {
			return errors.New("DecryptKey changed the encrypted key that it was given; want it left alone")
		}
		clear(given)
		if !bytes.Equal(got, key) {
			return errors.New("the content key changed with the slice that DecryptKey was given; want a slice of its own")
		}
		clear(got)
	}
	return nil
}

// decrypterErrors looks at the errors that it can bring about.
func decrypterErrors(c *decrypterCase) error {
	_, sent, err := encrypted(c.h.PublicKey, 32)
	if err != nil {
		return err
	}
	garbage := randomBytes(len(sent))
	try := func(ctx context.Context, algorithm string, input []byte, what string) error {
		if _, err := c.decrypt(ctx, algorithm, input); err != nil && leaks(err, string(input)) {
			return fmt.Errorf("the error of DecryptKey %s has the input or a part of it in it; want an error without", what)
		}
		return nil
	}
	for what, input := range map[string][]byte{"of garbage": garbage, "of a short input": garbage[:40]} {
		if err := try(c.ctx, oaep256, input, what); err != nil {
			return err
		}
	}
	if err := try(c.ctx, "RSA1_5", sent, "by another algorithm"); err != nil {
		return err
	}
	if err := try(canceled(c.ctx).ctx, oaep256, sent, "with a canceled context"); err != nil {
		return err
	}
	if c.h.Break == nil {
		return nil
	}
	c.env.Cleanup(c.h.Break(c.decrypter))
	return try(c.ctx, oaep256, sent, "while the key management is down")
}

// undecided wants no refusal when nobody could look at the key.
func (c *decrypterCase) undecided(ctx context.Context, when string) error {
	_, sent, err := encrypted(c.h.PublicKey, 32)
	if err != nil {
		return err
	}
	if _, err := c.decrypt(ctx, oaep256, sent); errors.Is(err, verifier.ErrDecryption) {
		return fmt.Errorf("DecryptKey of a good key %s = %w, which matches ErrDecryption; want an error that does not", when, err)
	}
	return nil
}

func decrypterDone(c *decrypterCase) error {
	for _, d := range []doneContext{canceled(c.ctx), pastDeadline(c.ctx)} {
		if err := c.undecided(d.ctx, "with "+d.name); err != nil {
			return err
		}
	}
	return nil
}

func decrypterTimeOut(c *decrypterCase) error {
	if c.h.Hang == nil {
		return skip("the harness has no Hang")
	}
	c.env.Cleanup(c.h.Hang(c.decrypter))
	for _, end := range []ending{byDeadline, byCancel} {
		if !heeds(c.env, end, func(ctx context.Context) error { return c.undecided(ctx, "") }) {
			return doubt(skip("DecryptKey does not end with its context, which is another check's finding"))
		}
		ctx, cancel := end.new(c.ctx)
		err := c.undecided(ctx, "while the key management hangs")
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}
