package redis_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portcullis-go/portcullis/cacheadapter/internal/ratio"
)

// TestMain silences the client, which logs every connection that a test cuts.
func TestMain(m *testing.M) {
	if ratio.MainDelay() {
		return
	}
	goredis.SetLogger(silence{})
	if os.Getenv(fleetVariable) != "" {
		if err := fleetProcess(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}
