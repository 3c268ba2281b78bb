// Package bridge speaks OpenAI's HTTP interface for agents that can't open a unix socket, and passes
// every request on to plmd. It keeps no state of its own.
package bridge

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	plm "plm.local/clients/go"
)

// maxBody is above the daemon's longest line, so that the daemon's limit is the one that counts.
const maxBody = 8 << 20

// Options of a Bridge.
type Options struct {
	Token     string        // if not empty, requests must carry it
	Remote    bool          // listens on more than loopback: any Host is accepted (a token is a must)
	Names     []string      // more model ids, for the default model
	MaxCalls  int32         // of one answer, where the client allows several
	KeepAlive time.Duration // between comments while a stream has nothing to say
	Log       *log.Logger
}

// Bridge is an http.Handler.
type Bridge struct {
	daemon  pool
	options Options
	routes  *http.ServeMux
}

// exchange is a request with its connection to the daemon.
type exchange struct {
	*Bridge
	client *plm.Client
}

// New makes a Bridge to the daemon at socket (empty: where clients look).
func New(socket string, options Options) *Bridge {
	b := &Bridge{daemon: pool{socket: socket}, options: options, routes: http.NewServeMux()}
	for _, base := range []string{"/v1", ""} { // with and without, as base URLs are written
		b.route("POST "+base+"/chat/completions", (*exchange).chat)
		b.route("POST "+base+"/completions", (*exchange).complete)
		b.route("GET "+base+"/models", (*exchange).models)
		b.route("GET "+base+"/models/{id...}", (*exchange).model)
	}
	b.route("GET /api/tags", (*exchange).tags)
	b.route("GET /health", (*exchange).health)
	b.routes.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		b.fail(w, r, &refusal{http.StatusNotFound, "not_found: no " + r.Method + " " + r.URL.Path + " here", "invalid_request_error", "not_found", ""})
	})
	return b
}

// Close ends the connections that are not in use.
func (b *Bridge) Close() { b.daemon.close() }

func (b *Bridge) route(pattern string, handle func(*exchange, http.ResponseWriter, *http.Request)) {
	b.routes.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		client := b.daemon.take()
		if client == nil {
			b.fail(w, r, &plm.Error{Code: plm.CodeOverloaded, Message: "overloaded: too many requests at a time"})
			return
		}
		defer b.daemon.give(client)
		handle(&exchange{b, client}, w, r)
	})
}

func (b *Bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if refused := b.admit(r); refused != nil {
		b.fail(w, r, refused)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	b.routes.ServeHTTP(w, r)
}

// admit checks the token. Without one, whoever can reach the loopback address may ask, but not a web
// page: its browser tells by Origin, or by a Host that is not this machine's (DNS rebinding).
func (b *Bridge) admit(r *http.Request) *refusal {
	if r.URL.Path == "/health" {
		return nil
	}
	if b.options.Token != "" {
		given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if subtle.ConstantTimeCompare([]byte(given), []byte(b.options.Token)) == 1 {
			return nil
		}
		return &refusal{http.StatusUnauthorized, "unauthorized: this bridge wants its token as API key",
			"authentication_error", "invalid_api_key", ""}
	}
	if !b.options.Remote && !isLoopbackHost(r.Host) {
		return forbidden("the Host header does not name this machine")
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		from, err := url.Parse(origin)
		if err != nil || !isLoopbackHost(from.Host) {
			return forbidden("requests of web pages are not taken")
		}
	}
	return nil
}

func isLoopbackHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

func (b *Bridge) logf(format string, args ...any) {
	if b.options.Log != nil {
		b.options.Log.Printf(format, args...)
	}
}

// logResult writes a request's line: what was prefilled is what the daemon's cache did not have.
func (b *Bridge) logResult(r *http.Request, result *plm.Result, streamed bool) {
	u := result.Usage
	how := ""
	if streamed {
		how = "streamed, "
	}
	b.logf("%s %s: 200 %s, %s%d prompt tokens, %d of them prefilled, %d generated, %d calls, %.0f ms", r.Method, r.URL.Path,
		result.FinishReason, how, u.PromptTokens, u.PromptTokens-u.CachedTokens, u.CompletionTokens, len(result.Calls),
		result.Timing.TotalMS)
}

func reply(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // the client may have left
}

func (b *exchange) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	state, err := b.client.Health(ctx)
	if err != nil {
		reply(w, http.StatusServiceUnavailable, map[string]string{"status": "unreachable", "error": err.Error()})
		return
	}
	status := http.StatusOK
	if state.Status != "ok" {
		status = http.StatusServiceUnavailable
	}
	reply(w, status, state)
}
