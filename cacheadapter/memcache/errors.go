package memcache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	gomemcache "github.com/bradfitz/gomemcache/memcache"
)

var (
	// ErrBusy says that as many calls wait for memcached as Config.MaxInFlight
	// allows. The call was not made.
	ErrBusy = errors.New("cacheadapter/memcache: too many calls in flight")
	// ErrTooLarge says that a value is longer than Config.MaxValueSize, or
	// than the server takes. The key holds what it held before, or nothing.
	ErrTooLarge = errors.New("cacheadapter/memcache: value is too large")
)

var (
	errNoGeneration = errors.New("the generation comes and goes")
	errFull         = errors.New("the server is out of memory")
	errPanic        = errors.New("the client panicked")
	errUnexpected   = errors.New("unexpected answer")
)

// failure names the operation and keeps of an error what cannot hold keys and
// values: the client quotes answers.
func failure(op string, err error) error {
	if err == nil {
		return nil
	}
	if err = safe(err); err == ErrTooLarge {
		return err
	}
	return fmt.Errorf("cacheadapter/memcache: %s: %w", op, err)
}

func safe(err error) error {
	for _, known := range []error{
		context.Canceled, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, gomemcache.ErrNoServers, gomemcache.ErrServerError,
		errNoGeneration, errPanic,
	} {
		if errors.Is(err, known) {
			return known
		}
	}
	var (
		network net.Error
		connect *gomemcache.ConnectTimeoutError
	)
	switch {
	case errors.As(err, &network):
		return network
	case errors.As(err, &connect):
		return connect
	}
	switch text := err.Error(); {
	case strings.Contains(text, `"SERVER_ERROR object too large`):
		return ErrTooLarge
	case strings.Contains(text, `"SERVER_ERROR out of memory`):
		return errFull
	}
	return errUnexpected
}
