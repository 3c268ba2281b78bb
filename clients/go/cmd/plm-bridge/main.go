// plm-bridge lets programs that speak OpenAI's HTTP interface use plmd: it listens on a loopback
// address and passes requests on over the daemon's unix socket.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"plm.local/clients/go/internal/bridge"
)

var version = "dev"

type config struct {
	listen      string
	socket      string
	tokenFile   string
	allowRemote bool
	quiet       bool
	showVersion bool
	drain       time.Duration
	options     bridge.Options
}

func parseFlags() (config, error) {
	var c config
	var maxCalls int
	flag.StringVar(&c.listen, "listen", "127.0.0.1:18080", "`address` to listen on; port 0 chooses one")
	flag.StringVar(&c.socket, "socket", "", "the daemon's socket (default: $PLM_SOCKET, the user's, the system's)")
	flag.StringVar(&c.options.Token, "token", os.Getenv("PLM_BRIDGE_TOKEN"), "API key that clients must send (better: $PLM_BRIDGE_TOKEN)")
	flag.StringVar(&c.tokenFile, "token-file", "", "`file` whose first line is that key")
	flag.BoolVar(&c.allowRemote, "allow-remote", false, "allow an address that is not loopback; needs a token")
	flag.Func("model-name", "a further model id that means the default model; may be given several times", func(name string) error {
		c.options.Names = append(c.options.Names, name)
		return nil
	})
	flag.IntVar(&maxCalls, "max-calls", 8, "most tool calls in one answer (1 to 16)")
	flag.DurationVar(&c.options.KeepAlive, "keep-alive", 5*time.Second, "between comments in a stream that has nothing to say")
	flag.DurationVar(&c.drain, "drain-timeout", 10*time.Second, "how long SIGTERM waits for what is in flight")
	flag.BoolVar(&c.quiet, "quiet", false, "log nothing but failures to start")
	flag.BoolVar(&c.showVersion, "version", false, "print the version")
	flag.Parse()
	c.options.Remote = c.allowRemote
	c.options.MaxCalls = int32(min(max(maxCalls, 1), 16))
	if flag.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	if c.options.KeepAlive <= 0 {
		return c, errors.New("--keep-alive must be positive")
	}
	return c, c.readToken()
}

func (c *config) readToken() error {
	if c.tokenFile == "" {
		return nil
	}
	text, err := os.ReadFile(c.tokenFile)
	if err != nil {
		return err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if c.options.Token = strings.TrimSpace(line); c.options.Token == "" {
		return errors.New(c.tokenFile + " holds no token")
	}
	return nil
}

// open listens, after making sure that nobody else's machine can connect unless that was asked for.
func (c *config) open() (net.Listener, error) {
	address, err := net.ResolveTCPAddr("tcp", c.listen)
	if err != nil {
		return nil, err
	}
	if !address.IP.IsLoopback() {
		if !c.allowRemote {
			return nil, fmt.Errorf("%s is not a loopback address: say --allow-remote, with a token, if you mean it", c.listen)
		}
		if c.options.Token == "" {
			return nil, errors.New("--allow-remote needs a token (--token-file or $PLM_BRIDGE_TOKEN)")
		}
	}
	return net.ListenTCP("tcp", address)
}

func main() {
	c, err := parseFlags()
	if err != nil {
		fmt.Fprintln(os.Stderr, "plm-bridge:", err)
		os.Exit(2)
	}
	if c.showVersion {
		fmt.Println("plm-bridge", version)
		return
	}
	if err := run(c); err != nil {
		fmt.Fprintln(os.Stderr, "plm-bridge:", err)
		os.Exit(1)
	}
}

func run(c config) error {
	listener, err := c.open()
	if err != nil {
		return err
	}
	logger := log.New(os.Stderr, "plm-bridge: ", 0)
	if !c.quiet {
		c.options.Log = logger
		logger.Printf("listening on http://%s/v1", listener.Addr())
	}
	handler := bridge.New(c.socket, c.options)
	defer handler.Close()
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          logger,
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	deadline, cancel := context.WithTimeout(context.Background(), c.drain)
	defer cancel()
	if err := server.Shutdown(deadline); err != nil {
		return server.Close()
	}
	return nil
}
