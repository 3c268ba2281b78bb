// Package picoclaw is PicoClaw's provider "plm": its requests go to plmd over the unix socket, without
// HTTP and without losing what PicoClaw knows about the stability of its system text.
package picoclaw

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	types "github.com/sipeed/picoclaw/pkg/providers/protocoltypes"
	plm "plm.local/clients/go"
)

const (
	maxCalls   = 8
	apiScheme  = "unix://"
	helloEvery = time.Minute // what the daemon can do changes only when it is replaced
)

// Provider implements PicoClaw's LLMProvider, StreamingProvider, StreamingEventProvider and
// StatefulProvider. It is safe for concurrent use.
type Provider struct {
	client  *plm.Client
	timeout time.Duration
	extra   extraBody

	mu    sync.Mutex
	hello *plm.Server
	asked time.Time
}

// extraBody are the members of a model's extra_body that mean something here.
type extraBody struct {
	ToolChoice string `json:"tool_choice"` // first, required, none; else the model decides
	MaxCalls   int32  `json:"max_calls"`
	plm.Options
}

// New makes a provider. apiBase is unix:///path/to/socket, a path, or empty for the places where
// clients look. It connects with the first request. timeout (0: none) is for a whole request.
func New(apiBase string, timeout time.Duration, extra map[string]any) (*Provider, error) {
	socket, _ := strings.CutPrefix(apiBase, apiScheme)
	if strings.Contains(socket, "://") {
		return nil, fmt.Errorf("plm: api_base must be a socket, like unix:///run/plmd/plmd.sock, and not %s", apiBase)
	}
	p := &Provider{client: plm.New(socket), timeout: timeout, extra: extraBody{MaxCalls: maxCalls}}
	if len(extra) > 0 {
		raw, err := json.Marshal(extra)
		if err == nil {
			err = json.Unmarshal(raw, &p.extra)
		}
		if err != nil {
			return nil, fmt.Errorf("plm: extra_body: %w", err)
		}
	}
	return p, nil
}

// GetDefaultModel is empty: the daemon's first model.
func (p *Provider) GetDefaultModel() string { return "" }

// Close ends the connection; what is in flight is cancelled.
func (p *Provider) Close() { _ = p.client.Close() }

// Chat asks for the assistant's next message.
func (p *Provider) Chat(ctx context.Context, messages []types.Message, tools []types.ToolDefinition,
	model string, options map[string]any) (*types.LLMResponse, error) {
	if p.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.timeout)
		defer cancel()
	}
	return p.run(ctx, messages, tools, model, options, p.client.Chat)
}

// ChatStream is Chat that shows the text so far.
func (p *Provider) ChatStream(ctx context.Context, messages []types.Message, tools []types.ToolDefinition,
	model string, options map[string]any, onChunk func(string)) (*types.LLMResponse, error) {
	return p.ChatStreamEvents(ctx, messages, tools, model, options, func(chunk types.StreamChunk) {
		if onChunk != nil {
			onChunk(chunk.Content)
		}
	})
}

// ChatStreamEvents is Chat that shows the text so far, without calls.
func (p *Provider) ChatStreamEvents(ctx context.Context, messages []types.Message, tools []types.ToolDefinition,
	model string, options map[string]any, onChunk func(types.StreamChunk)) (*types.LLMResponse, error) {
	var shown strings.Builder
	return p.run(ctx, messages, tools, model, options, func(ctx context.Context, r *plm.Request) (*plm.Result, error) {
		return p.client.Stream(ctx, r, func(e plm.Event) error {
			if e.Text != "" && onChunk != nil {
				shown.WriteString(e.Text)
				onChunk(types.StreamChunk{Content: shown.String()})
			}
			return nil
		})
	})
}

type asker func(context.Context, *plm.Request) (*plm.Result, error)

func (p *Provider) run(ctx context.Context, messages []types.Message, tools []types.ToolDefinition,
	model string, options map[string]any, ask asker) (*types.LLMResponse, error) {
	request, err := p.request(messages, tools, options)
	if err != nil {
		return nil, err
	}
	if err := p.prepare(ctx, model, request); err != nil {
		return nil, say(ctx, err)
	}
	result, err := ask(ctx, request)
	if err != nil {
		return nil, say(ctx, err)
	}
	if result.FinishReason == "invalid" {
		return nil, say(ctx, &plm.Error{Code: plm.CodeOutputInvalid, Message: "output_invalid: the call does not satisfy its schema"})
	}
	return response(result)
}

// prepare fits the request to the daemon: a model name that it does not serve means its only one.
func (p *Provider) prepare(ctx context.Context, model string, request *plm.Request) error {
	server, err := p.server(ctx)
	if err != nil {
		return err
	}
	if request.OnUnsupported == "" && server.Can("widen") {
		request.OnUnsupported = "widen"
	}
	model = strings.TrimPrefix(model, "plm/")
	if server.Can("model.list") || strings.EqualFold(model, server.Model.Alias) {
		aliases, err := p.client.Models(ctx)
		if err != nil {
			return err
		}
		for _, alias := range aliases {
			if strings.EqualFold(alias, model) {
				request.Model = alias
			}
		}
		if request.Model == "" && len(aliases) > 1 && model != "" {
			request.Model = model // the daemon says that there is none
		}
	}
	return nil
}

func (p *Provider) server(ctx context.Context) (*plm.Server, error) {
	p.mu.Lock()
	hello, asked := p.hello, p.asked
	p.mu.Unlock()
	if hello != nil && time.Since(asked) < helloEvery {
		return hello, nil
	}
	hello, err := p.client.Hello(ctx)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hello, p.asked = hello, time.Now()
	return hello, nil
}

// ---- errors ----

// say words an error for PicoClaw, which decides by text whether to compact, to wait or to give up.
// It takes any bare number from three hundred on for an HTTP status: the daemon's messages hold none,
// and none is added. Errors of the connection stay wrapped: their type makes them "network".
func say(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var refused *plm.Error
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.Code {
	case plm.CodeMessageTooLarge:
		return fmt.Errorf("context_length_exceeded: %w", err)
	case plm.CodeOverloaded, plm.CodeOutOfMemory:
		return fmt.Errorf("rate limit: %w", err)
	case plm.CodeModelNotReady, plm.CodeShuttingDown, plm.CodeDeadlineExceeded, plm.CodeOutputInvalid, plm.CodeCancelled:
		return fmt.Errorf("timeout: %w", err) // a word that makes it ask again
	}
	return err
}

// ---- response ----

func response(result *plm.Result) (*types.LLMResponse, error) {
	out := &types.LLMResponse{
		Content:          result.Text(),
		ReasoningContent: result.Reasoning,
		FinishReason:     result.FinishReason,
		Usage: &types.UsageInfo{
			PromptTokens:     int(result.Usage.PromptTokens),
			CompletionTokens: int(result.Usage.CompletionTokens),
			TotalTokens:      int(result.Usage.TotalTokens),
		},
	}
	if out.FinishReason == "length" {
		out.FinishReason = "truncated" // PicoClaw's word
	}
	for _, call := range result.Calls {
		var arguments map[string]any
		if err := json.Unmarshal(call.Arguments, &arguments); err != nil {
			return nil, fmt.Errorf("plm: arguments of %s: %w", call.Name, err)
		}
		out.ToolCalls = append(out.ToolCalls, types.ToolCall{
			ID: call.ID, Type: "function", Name: call.Name, Arguments: arguments,
			Function: &types.FunctionCall{Name: call.Name, Arguments: string(compact(call.Arguments))},
		})
	}
	return out, nil
}

func compact(raw []byte) []byte {
	var buf bytes.Buffer
	if json.Compact(&buf, raw) != nil {
		return raw
	}
	return buf.Bytes()
}
