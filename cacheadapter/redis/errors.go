package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

var (
	// ErrBusy says that as many calls wait for Redis as Config.MaxInFlight
	// allows. The call was not made.
	ErrBusy = errors.New("cacheadapter/redis: too many calls in flight")
	// ErrTooLarge says that a value is longer than Config.MaxValueSize. The
	// key holds what it held before.
	ErrTooLarge = errors.New("cacheadapter/redis: value is too large")
)

var (
	errUndecided     = errors.New("the record came and went")
	errUnknownClient = errors.New("cannot clear through this kind of client")
	errPanic         = errors.New("the client panicked")
	errNoAnswer      = errors.New("the client did not send it")
	errUnexpected    = errors.New("unexpected answer")
)

// failure names the operation and keeps of an error what cannot hold keys and
// values: texts of the server quote commands, texts of the client quote
// answers.
func failure(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("cacheadapter/redis: %s: %w", op, safe(err))
}

func safe(err error) error {
	var (
		server  goredis.Error
		network net.Error
		trust   *tls.CertificateVerificationError
	)
	for _, known := range []error{
		context.Canceled, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, goredis.ErrClosed,
		errUndecided, errUnknownClient, errPanic, errNoAnswer,
	} {
		if errors.Is(err, known) {
			return known
		}
	}
	switch {
	case errors.As(err, &server):
		return errors.New("server answered " + code(server.Error()))
	case errors.As(err, &network):
		return network
	case errors.As(err, &trust):
		return trust
	}
	// Texts of the client without anything variable.
	switch text := err.Error(); text {
	case "redis: connection pool timeout", "redis: connection pool exhausted", "redis: cluster has no nodes",
		"redis: all ring shards are down", "redis: all sentinels specified in configuration are unreachable":
		return errors.New(strings.TrimPrefix(text, "redis: "))
	}
	return errUnexpected
}

// code returns the word in capitals that begins an error of Redis, such as
// OOM or READONLY.
func code(text string) string {
	word, _, _ := strings.Cut(text, " ")
	if word == "" || len(word) > 20 || strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "an error"
	}
	return word
}
