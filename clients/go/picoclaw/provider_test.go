package picoclaw

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	types "github.com/sipeed/picoclaw/pkg/providers/protocoltypes"
	plm "plm.local/clients/go"
	"plm.local/clients/go/internal/fake"
)

// What PicoClaw looks for in a provider, beside Chat.
var _ interface {
	ChatStreamEvents(context.Context, []types.Message, []types.ToolDefinition, string, map[string]any,
		func(types.StreamChunk)) (*types.LLMResponse, error)
	ChatStream(context.Context, []types.Message, []types.ToolDefinition, string, map[string]any,
		func(string)) (*types.LLMResponse, error)
	GetDefaultModel() string
	Close()
} = (*Provider)(nil)

func start(t *testing.T, extra map[string]any, answer fake.Handler) (*fake.Daemon, *Provider) {
	t.Helper()
	daemon, err := fake.Start(func(call *fake.Call) (any, error) {
		if call.Method == "hello" {
			return map[string]any{"capabilities": []string{"chat"}, "model": map[string]any{"alias": "Fake-1B"}}, nil
		}
		return answer(call)
	})
	if err != nil {
		t.Fatal(err)
	}
	provider, err := New("unix://"+daemon.Path, 0, extra)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { provider.Close(); daemon.Close() })
	return daemon, provider
}

const tail = "## Current Time\n2026-11-23 04:19 (Monday)"

func system() types.Message {
	return types.Message{Role: "system", Content: "rules\n\n---\n\nserver\n\n---\n\n" + tail, SystemParts: []types.ContentBlock{
		{Type: "text", Text: "rules", CacheControl: &types.CacheControl{Type: "ephemeral"}},
		{Type: "text", Text: "server"}, {Type: "text", Text: tail}}}
}

func turn() ([]types.Message, []types.ToolDefinition) {
	messages := []types.Message{system(), {Role: "user", Content: "hi"},
		{Role: "assistant", ToolCalls: []types.ToolCall{{ID: "c1", Type: "function",
			Function: &types.FunctionCall{Name: "f", Arguments: `{"x":1}`}}}},
		{Role: "tool", ToolCallID: "c1", Content: "done"}}
	tools := []types.ToolDefinition{{Type: "function", Function: types.ToolFunctionDefinition{Name: "f",
		Parameters: map[string]any{"type": "object"}}}}
	return messages, tools
}

var optionsOfPicoClaw = map[string]any{"max_tokens": 32768, "temperature": 0.7, "prompt_cache_key": "main"}

func TestRequest(t *testing.T) {
	daemon, provider := start(t, nil, func(*fake.Call) (any, error) { return fake.Text("ok"), nil })
	messages, tools := turn()
	if _, err := provider.Chat(t.Context(), messages, tools, "plm/fake-1b", optionsOfPicoClaw); err != nil {
		t.Fatal(err)
	}
	calls := daemon.Calls()
	got, _ := json.Marshal(calls[len(calls)-1].Decode())
	want := `{"max_calls":8,"max_tokens":32768,"messages":[` +
		`{"content":[{"cache_control":{"type":"ephemeral"},"text":"rules\n\n---\n\nserver","type":"text"},` +
		`{"text":"## Current Time\n2026-11-23 04:19 (Monday)","type":"text"}],"role":"system"},` +
		`{"content":"hi","role":"user"},` +
		`{"content":"","role":"assistant","tool_calls":[{"arguments":{"x":1},"id":"c1","name":"f"}]},` +
		`{"content":"done","role":"tool","tool_call_id":"c1"}],"model":"Fake-1B","temperature":0.7,"tool_choice":"auto",` +
		`"tools":[{"name":"f","parameters":{"type":"object"}}]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestMarksWithoutClock(t *testing.T) {
	message := system()
	message.Content = "rules\n\n---\n\nserver"
	message.SystemParts = message.SystemParts[:2]
	parts := systemParts(message)
	if len(parts) != 2 || parts[0].Text != "rules" || !parts[0].Stable || parts[1].Text != "server" || parts[1].Stable {
		t.Errorf("%+v", parts)
	}
}

func TestExtraBody(t *testing.T) {
	extra := map[string]any{"tool_choice": "first", "temperature": 0, "top_k": 5, "max_calls": 1}
	daemon, provider := start(t, extra, func(*fake.Call) (any, error) { return fake.Text("ok"), nil })
	messages, tools := turn()
	for n, want := range map[int]string{2: "required", 4: "auto"} {
		if _, err := provider.Chat(t.Context(), messages[:n], tools, "", optionsOfPicoClaw); err != nil {
			t.Fatal(err)
		}
		calls := daemon.Calls()
		p := calls[len(calls)-1].Decode()
		if p["tool_choice"] != want || p["temperature"] != 0.0 || p["top_k"] != 5.0 || p["max_calls"] != 1.0 {
			t.Error(p)
		}
	}
	if _, err := New("http://127.0.0.1:1/v1", 0, nil); err == nil {
		t.Error("an HTTP base was taken")
	}
	if _, err := New("", 0, map[string]any{"top_k": "x"}); err == nil {
		t.Error("a bad extra_body was taken")
	}
}

func TestStreamAccumulates(t *testing.T) {
	_, provider := start(t, nil, func(call *fake.Call) (any, error) {
		for _, piece := range []string{"I ", "look.", "\n<tool_", "call>…"} {
			call.Token(piece)
		}
		return fake.Result("I look.", "tool_calls", plm.Call{ID: "c1", Name: "f", Arguments: json.RawMessage(`{"a": 1}`)}), nil
	})
	var seen []string
	messages, tools := turn()
	response, err := provider.ChatStreamEvents(t.Context(), messages, tools, "", optionsOfPicoClaw, func(chunk types.StreamChunk) {
		seen = append(seen, chunk.Content)
	})
	if err != nil || strings.Join(seen, "|") != "I|I look." || response.Content != "I look." {
		t.Fatalf("%q %+v %v", seen, response, err)
	}
	call := response.ToolCalls[0]
	if call.ID != "c1" || call.Name != "f" || call.Arguments["a"] != 1.0 || call.Function.Arguments != `{"a":1}` ||
		response.Usage.PromptTokens != 100 {
		t.Errorf("%+v", call)
	}
}

var bareStatus = regexp.MustCompile(`\b[3-5][0-9]{2}\b`)

func TestErrorsAreWorded(t *testing.T) {
	var refused *plm.Error
	_, provider := start(t, nil, func(*fake.Call) (any, error) { return nil, refused })
	for _, c := range []struct {
		code          int
		message, want string
	}{
		{1003, "context_length_exceeded: the prompt is longer", "context_length_exceeded"},
		{1001, "overloaded: later", "rate limit"}, {1006, "shutting_down: bye", "timeout"},
		{1004, "schema_unsupported: not", "schema_unsupported"},
	} {
		refused = &plm.Error{Code: c.code, Message: c.message}
		_, err := provider.Chat(t.Context(), []types.Message{{Role: "user", Content: "x"}}, nil, "", nil)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || bareStatus.MatchString(err.Error()) || !errors.Is(err, refused) {
			t.Errorf("%d: %v", c.code, err)
		}
	}
}

func TestErrorsOfTheConnection(t *testing.T) {
	provider, err := New("unix:///nonexistent/plmd.sock", 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = provider.Chat(t.Context(), []types.Message{{Role: "user", Content: "x"}}, nil, "", nil)
	var network net.Error
	if !errors.As(err, &network) || network.Timeout() {
		t.Error(err)
	}
}

func TestCancellation(t *testing.T) {
	daemon, provider := start(t, nil, func(call *fake.Call) (any, error) {
		<-call.Cancelled
		return nil, &plm.Error{Code: 1010, Message: "cancelled: by the client"}
	})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err := provider.Chat(ctx, []types.Message{{Role: "user", Content: "x"}}, nil, "", nil)
	if err != context.Canceled {
		t.Error(err)
	}
	calls := daemon.Calls()
	select {
	case <-calls[len(calls)-1].Cancelled:
	case <-time.After(5 * time.Second):
		t.Error("the daemon was not told")
	}
}

func TestImagesAreRefused(t *testing.T) {
	_, provider := start(t, nil, func(*fake.Call) (any, error) { return fake.Text("ok"), nil })
	_, err := provider.Chat(t.Context(), []types.Message{{Role: "user", Media: []string{"data:image/png,"}}}, nil, "", nil)
	if err == nil || !strings.Contains(err.Error(), "does not support image input") {
		t.Error(err)
	}
}

func TestConcurrentUse(t *testing.T) {
	_, provider := start(t, nil, func(*fake.Call) (any, error) { return fake.Text("ok"), nil })
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			messages, tools := turn()
			if _, err := provider.Chat(t.Context(), messages, tools, "", optionsOfPicoClaw); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}
