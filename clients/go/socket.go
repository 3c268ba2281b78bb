package plm

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

const systemSocket = "/run/plmd/plmd.sock"

// How long the daemon may take to accept: connecting waits while its backlog is full.
const dialPatience = 10 * time.Second

// socketPaths lists where a daemon may listen, best first: what was named, else $PLM_SOCKET, else the
// user's socket and the system's.
func socketPaths(named string) []string {
	if named == "" {
		named = os.Getenv("PLM_SOCKET")
	}
	if named != "" {
		return []string{named}
	}
	if runtime := os.Getenv("XDG_RUNTIME_DIR"); runtime != "" {
		return []string{filepath.Join(runtime, "plmd", "plmd.sock"), systemSocket}
	}
	return []string{systemSocket}
}

func dialDaemon(ctx context.Context, named string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialPatience}
	var all error
	for _, path := range socketPaths(named) {
		nc, err := dialer.DialContext(ctx, "unix", path)
		if err == nil {
			return nc, nil
		}
		if all != nil {
			err = fmt.Errorf("%w; %w", all, err)
		}
		all = err
	}
	return nil, &ConnError{Op: "connect", Err: all}
}
