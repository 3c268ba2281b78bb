package plm

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
)

// marshal is json.Marshal that leaves <, > and & as they are.
func marshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	encoder := json.NewEncoder(&buf)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

func (c *Client) generate(ctx context.Context, method string, params any, on func(Event) error) (*Result, error) {
	result := new(Result)
	if err := c.do(ctx, method, params, result, on); err != nil {
		return nil, err
	}
	return result, nil
}

// ToolCall lets the model choose a tool and fill in its arguments; by default it must call.
func (c *Client) ToolCall(ctx context.Context, r *Request) (*Result, error) {
	return c.generate(ctx, "tool_call", r, nil)
}

// Chat asks for the assistant's next message: text, or calls if tools are given.
func (c *Client) Chat(ctx context.Context, r *Request) (*Result, error) {
	return c.generate(ctx, "chat", r, nil)
}

// Complete continues a text, without a template.
func (c *Client) Complete(ctx context.Context, r *CompleteRequest) (*Result, error) {
	return c.generate(ctx, "complete", r, nil)
}

type streamed struct {
	Stream   bool `json:"stream"`
	Progress bool `json:"progress"`
}

// Stream is Chat that calls on for every token and for progress, in the caller's goroutine, and then
// returns the whole result. An error from on cancels the request and is returned.
func (c *Client) Stream(ctx context.Context, r *Request, on func(Event) error) (*Result, error) {
	return c.stream(ctx, "chat", struct {
		*Request
		streamed
	}{r, streamed{true, true}}, &gate{calls: len(r.Tools) > 0}, on)
}

// StreamComplete is Complete that calls on as Stream does.
func (c *Client) StreamComplete(ctx context.Context, r *CompleteRequest, on func(Event) error) (*Result, error) {
	return c.stream(ctx, "complete", struct {
		*CompleteRequest
		streamed
	}{r, streamed{true, true}}, &gate{closed: r.Echo}, on) // an echo comes before, and with the result only
}

// stream adds to the events what may be shown.
func (c *Client) stream(ctx context.Context, method string, params any, shown *gate, on func(Event) error) (*Result, error) {
	if on == nil {
		return c.generate(ctx, method, params, nil)
	}
	result, err := c.generate(ctx, method, params, func(e Event) error {
		if e.Token != nil {
			e.Text = shown.feed(e.Token)
		}
		return on(e)
	})
	if err != nil {
		return nil, err
	}
	if rest := shown.rest(result.Text()); rest != "" {
		err = on(Event{Text: rest})
	}
	return result, err
}

// Tokenize turns text into token ids.
func (c *Client) Tokenize(ctx context.Context, text string) ([]int32, error) {
	var result struct{ Tokens []int32 }
	err := c.do(ctx, "tokenize", map[string]any{"text": text}, &result, nil)
	return result.Tokens, err
}

// Detokenize turns token ids into text.
func (c *Client) Detokenize(ctx context.Context, tokens []int32) (string, error) {
	var result struct{ Text string }
	err := c.do(ctx, "detokenize", map[string]any{"tokens": tokens}, &result, nil)
	return result.Text, err
}

// Render returns the prompt of a conversation, as the model sees it.
func (c *Client) Render(ctx context.Context, r *Request) (string, error) {
	var result struct{ Prompt string }
	err := c.do(ctx, "render", r, &result, nil)
	return result.Prompt, err
}

// Count returns the length of that prompt in tokens.
func (c *Client) Count(ctx context.Context, r *Request) (int64, error) {
	var result struct{ Tokens int64 }
	err := c.do(ctx, "count", r, &result, nil)
	return result.Tokens, err
}

// HealthState is how the daemon is.
type HealthState struct {
	Status         string   `json:"status"` // ok, loading, draining
	UptimeS        float64  `json:"uptime_s"`
	QueueDepth     int64    `json:"queue_depth"`
	Active         int64    `json:"active"`
	LastTokenAgeMS *float64 `json:"last_token_age_ms"`
}

// Health asks how the daemon is; it answers at once at any load.
func (c *Client) Health(ctx context.Context) (*HealthState, error) {
	state := new(HealthState)
	if err := c.do(ctx, "health", nil, state, nil); err != nil {
		return nil, err
	}
	return state, nil
}

// Server is what the daemon says about itself.
type Server struct {
	Server       string           `json:"server"`
	Version      string           `json:"version"`
	Protocol     int64            `json:"protocol"`
	Capabilities []string         `json:"capabilities"`
	Limits       map[string]int64 `json:"limits"`
	Model        struct {
		Alias string `json:"alias"`
		NCtx  int64  `json:"n_ctx"`
	} `json:"model"`
}

// Can reports whether the daemon lists a capability that contains word.
func (s *Server) Can(word string) bool {
	return slices.ContainsFunc(s.Capabilities, func(c string) bool { return strings.Contains(c, word) })
}

// Hello asks who is there and what it can do.
func (c *Client) Hello(ctx context.Context) (*Server, error) {
	server := new(Server)
	if err := c.do(ctx, "hello", nil, server, nil); err != nil {
		return nil, err
	}
	return server, nil
}

// Models lists the aliases that are served, the default one first.
func (c *Client) Models(ctx context.Context) ([]string, error) {
	server, err := c.Hello(ctx)
	if err != nil {
		return nil, err
	}
	aliases := []string{server.Model.Alias}
	var list struct {
		Models []struct{ Alias string }
	}
	if !server.Can("model.list") || c.do(ctx, "model.list", nil, &list, nil) != nil {
		return aliases, nil
	}
	for _, model := range list.Models {
		if !slices.Contains(aliases, model.Alias) {
			aliases = append(aliases, model.Alias)
		}
	}
	return aliases, nil
}
