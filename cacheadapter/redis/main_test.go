package redis_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portcullis-go/portcullis/cacheadapter/internal/ratio"
)

// TestMain silences the client, which logs every connection that a test cuts. It
// lets the three kinds of Redis run side by side on two cores: they mostly wait.
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
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == parallel.DefValue {
		_ = flag.Set("test.parallel", "4")
	}
	os.Exit(m.Run())
}

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}
