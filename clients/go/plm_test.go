package plm_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	plm "plm.local/clients/go"
	"plm.local/clients/go/internal/fake"
)

func start(t *testing.T, handler fake.Handler) (*fake.Daemon, *plm.Client) {
	t.Helper()
	daemon, err := fake.Start(handler)
	if err != nil {
		t.Fatal(err)
	}
	client, err := plm.Dial(context.Background(), daemon.Path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); daemon.Close() })
	return daemon, client
}

func echo(call *fake.Call) (any, error) {
	prompt, _ := call.Decode()["prompt"].(string)
	return fake.Text(prompt), nil
}

// forever answers when it is cancelled.
func forever(call *fake.Call) (any, error) {
	<-call.Cancelled
	return nil, &plm.Error{Code: plm.CodeCancelled, Message: "cancelled: by the client"}
}

func TestManyCallsShareOneConnection(t *testing.T) {
	daemon, client := start(t, func(call *fake.Call) (any, error) {
		time.Sleep(time.Millisecond)
		return echo(call)
	})
	var group sync.WaitGroup
	for i := range 300 {
		group.Go(func() {
			want := fmt.Sprintf("text %d <&>", i)
			result, err := client.Chat(t.Context(), &plm.Request{Prompt: want})
			if err != nil || result.Text() != want {
				t.Errorf("%v, %v; want %q", result, err, want)
			}
		})
	}
	group.Wait()
	if n := daemon.Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestErrorsAreTyped(t *testing.T) {
	_, client := start(t, func(*fake.Call) (any, error) {
		return nil, &plm.Error{Code: 1001, Message: "overloaded: later",
			Data: json.RawMessage(`{"retry_after_ms":1500,"path":"a.b"}`)}
	})
	_, err := client.Chat(t.Context(), &plm.Request{Prompt: "x"})
	var refusal *plm.Error
	if !errors.As(err, &refusal) || !errors.Is(err, plm.ErrOverloaded) || errors.Is(err, plm.ErrCancelled) {
		t.Fatal(err)
	}
	if refusal.Name() != "overloaded" || refusal.RetryAfter() != 1500*time.Millisecond || refusal.Path() != "a.b" {
		t.Errorf("%q %v %q", refusal.Name(), refusal.RetryAfter(), refusal.Path())
	}
}

func TestCancelReachesTheDaemon(t *testing.T) {
	daemon, client := start(t, func(call *fake.Call) (any, error) {
		if call.Method == "health" {
			return map[string]any{"status": "ok"}, nil
		}
		return forever(call)
	})
	for _, deadline := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		want := context.Canceled
		if deadline {
			ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
			want = context.DeadlineExceeded
		} else {
			time.AfterFunc(20*time.Millisecond, cancel)
		}
		if _, err := client.Chat(ctx, &plm.Request{Prompt: "x"}); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
		cancel()
	}
	for _, call := range daemon.Calls() {
		select {
		case <-call.Cancelled:
		case <-time.After(5 * time.Second):
			t.Error("not cancelled")
		}
	}
	// The connection lives on, and its slots are free again.
	if state, err := client.Health(t.Context()); err != nil || state.Status != "ok" || daemon.Connections() != 1 {
		t.Errorf("%v, %v", state, err)
	}
}

func TestCancelWhileAllSlotsAreTaken(t *testing.T) {
	_, client := start(t, forever)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	var group sync.WaitGroup
	for range 200 {
		group.Go(func() {
			if _, err := client.Chat(ctx, &plm.Request{Prompt: "x"}); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

func TestReconnects(t *testing.T) {
	daemon, client := start(t, echo)
	for range 3 {
		if _, err := client.Chat(t.Context(), &plm.Request{Prompt: "x"}); err != nil {
			t.Fatal(err)
		}
		daemon.Stop()
		_, err := client.Chat(t.Context(), &plm.Request{Prompt: "x"})
		var network net.Error
		var broken *plm.ConnError
		if !errors.As(err, &broken) || (!errors.As(err, &network) && !errors.Is(err, io.ErrUnexpectedEOF)) {
			t.Fatalf("%v", err)
		}
		if err := daemon.Listen(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestKilledInMidAnswer(t *testing.T) {
	daemon, client := start(t, func(call *fake.Call) (any, error) {
		call.Token("so far")
		return forever(call)
	})
	var text strings.Builder
	_, err := client.Stream(t.Context(), &plm.Request{Prompt: "x"}, func(e plm.Event) error {
		text.WriteString(e.Text)
		go daemon.Stop()
		return nil
	})
	if !errors.Is(err, io.ErrUnexpectedEOF) || text.String() != "so far" {
		t.Errorf("%v, %q", err, text.String())
	}
}

func TestStreamIsInOrderAndBeforeTheResult(t *testing.T) {
	_, client := start(t, func(call *fake.Call) (any, error) {
		params := call.Decode()
		if params["stream"] != true || params["progress"] != true {
			return nil, errors.New("not streamed")
		}
		call.Progress(1, 2)
		var all strings.Builder
		for i := range 2000 {
			text := fmt.Sprint(i, " ")
			all.WriteString(text)
			call.Token(text)
		}
		return fake.Text(all.String()), nil
	})
	var text strings.Builder
	progress := 0
	on := func(e plm.Event) error {
		if e.Progress != nil {
			progress++
			return nil
		}
		text.WriteString(e.Text)
		return nil
	}
	result, err := client.Stream(t.Context(), &plm.Request{Prompt: "x"}, on)
	if err != nil || result.Text() != text.String() || progress != 1 {
		t.Errorf("%v: %d bytes, %d progress", err, text.Len(), progress)
	}
	enough := errors.New("enough")
	_, err = client.StreamComplete(t.Context(), &plm.CompleteRequest{Prompt: "x"}, func(plm.Event) error { return enough })
	if err != enough {
		t.Error(err)
	}
}

func TestCloseEndsCalls(t *testing.T) {
	_, client := start(t, forever)
	time.AfterFunc(20*time.Millisecond, func() { client.Close() })
	if _, err := client.Chat(t.Context(), &plm.Request{Prompt: "x"}); !errors.Is(err, plm.ErrClosed) {
		t.Error(err)
	}
	if _, err := client.Chat(t.Context(), &plm.Request{Prompt: "x"}); !errors.Is(err, plm.ErrClosed) {
		t.Error(err)
	}
}

func TestDialSaysWhatWasTried(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("PLM_SOCKET", "")
	t.Setenv("XDG_RUNTIME_DIR", folder)
	_, err := plm.Dial(t.Context(), folder+"/named.sock")
	var network *net.OpError
	if !errors.As(err, &network) || !strings.Contains(err.Error(), "named.sock") {
		t.Error(err)
	}
	t.Setenv("PLM_SOCKET", folder+"/environment.sock")
	if _, err := plm.Dial(t.Context(), ""); !strings.Contains(err.Error(), "environment.sock") {
		t.Error(err)
	}
}

// What would be answered without an id never leaves.
func TestRequestsThatTheDaemonCannotReadAreRefused(t *testing.T) {
	daemon, client := start(t, echo)
	deep := strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70)
	for _, schema := range []string{`{"a":1,"b":2,"a":3}`, `{"a":1,"\u0061":3}`, `["\ud800"]`, `["\udc00x"]`, deep} {
		request := &plm.Request{Prompt: "x", Tools: []plm.Tool{{Name: "t", Parameters: json.RawMessage(schema)}}}
		if _, err := client.Chat(t.Context(), request); err == nil {
			t.Errorf("%.30s was sent", schema)
		}
	}
	_, err := client.Chat(t.Context(), &plm.Request{Prompt: strings.Repeat("x", 5<<20)})
	if !errors.Is(err, plm.ErrMessageTooLarge) {
		t.Error(err)
	}
	if len(daemon.Calls()) != 0 {
		t.Error("something was sent")
	}
	fine := `{"a":{"a":"\ud83d\ude00 \\\" {["},"b":[{"a":1},{"a":2}]}`
	request := &plm.Request{Prompt: "a\xffb\x00\n", Tools: []plm.Tool{{Name: "t", Parameters: json.RawMessage(fine)}}}
	if _, err := client.Chat(t.Context(), request); err != nil {
		t.Error(err)
	}
}

func TestMessagesOnTheWire(t *testing.T) {
	daemon, client := start(t, func(*fake.Call) (any, error) { return fake.Text(""), nil })
	_, err := client.ToolCall(t.Context(), &plm.Request{
		Messages: []plm.Message{
			{Role: "system", Parts: []plm.Part{{Text: "a<b", Stable: true}, {Text: "now"}}},
			{Role: "assistant", ToolCalls: []plm.Call{{ID: "c", Name: "f", Arguments: json.RawMessage(`{"x": 1.0}`)}}},
			{Role: "tool", ToolCallID: "c", Content: "done"},
		},
		Tools:      []plm.Tool{{Name: "f", Parameters: json.RawMessage(`{"z":1,"a":2}`)}},
		ToolChoice: plm.Named("f"),
		Options:    plm.Options{Temperature: plm.Value(0.0), MaxTokens: 1 << 40},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"messages":[` +
		`{"role":"system","content":[{"type":"text","text":"a<b","cache_control":{"type":"ephemeral"}},{"type":"text","text":"now"}]},` +
		`{"role":"assistant","content":"","tool_calls":[{"id":"c","name":"f","arguments":{"x":1.0}}]},` +
		`{"role":"tool","content":"done","tool_call_id":"c"}],` +
		`"tools":[{"name":"f","parameters":{"z":1,"a":2}}],"tool_choice":{"name":"f"},` +
		`"max_tokens":1099511627776,"temperature":0}`
	if got := string(daemon.Calls()[0].Params); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestStableFirst(t *testing.T) {
	const tail = "## Current Time\n2026-11-23 04:19 (Monday)\n\n## Runtime\nlinux"
	parts := plm.StableFirst("rules\n\n---\n\n# Memory\n\n---\n\n" + tail)
	if len(parts) != 2 || !parts[0].Stable || parts[0].Text != "rules\n\n---\n\n# Memory" ||
		parts[1].Stable || parts[1].Text != tail {
		t.Errorf("%+v", parts)
	}
	if parts := plm.StableFirst("rules"); len(parts) != 1 || !parts[0].Stable {
		t.Errorf("%+v", parts)
	}
	if parts := plm.StableFirst(tail); len(parts) != 1 || parts[0].Stable {
		t.Errorf("%+v", parts)
	}
}

// What a stream shows of texts with calls in them: all of the content, and nothing of a call at any time.
func TestStreamShowsNoMarkup(t *testing.T) {
	for _, c := range []struct {
		tokens, shown string // pieces apart by |; of shown, those that are not empty
		content       any
	}{
		{"a|b <|b> c", "a|b| <b> c", "ab <b> c"}, // "<" may open a call, and the blank before it
		{"x <tool_|call>\n{}", "x", "x"},
		{"\n|<tool_call>\n{}", "", nil},
		{"x |<function", "x| <function", "x <function"},
		{"x|<tool_", "x", "x"}, // cut short by the budget
		{"see <function=| in C", "see| <function= in C", "see <function= in C"},
		{"a|\n\n|b|\n", "a|\n\nb|\n", "a\n\nb\n"},
	} {
		_, client := start(t, func(call *fake.Call) (any, error) {
			for _, piece := range strings.Split(c.tokens, "|") {
				call.Token(piece)
			}
			return fake.Result(c.content, "stop"), nil
		})
		var shown []string
		tools := []plm.Tool{{Name: "f"}}
		result, err := client.Stream(t.Context(), &plm.Request{Prompt: "x", Tools: tools}, func(e plm.Event) error {
			if e.Text != "" {
				shown = append(shown, e.Text)
			}
			return nil
		})
		if err != nil || strings.Join(shown, "|") != c.shown || strings.Join(shown, "") != result.Text() {
			t.Errorf("%q: %q %v", c.tokens, shown, err)
		}
	}
}

// An echoed prompt is no token: it is shown with the end.
func TestStreamWithEcho(t *testing.T) {
	_, client := start(t, func(call *fake.Call) (any, error) {
		call.Token("two")
		return fake.Text("one two"), nil
	})
	var shown string
	_, err := client.StreamComplete(t.Context(), &plm.CompleteRequest{Prompt: "one ", Echo: true}, func(e plm.Event) error {
		shown += e.Text
		return nil
	})
	if err != nil || shown != "one two" {
		t.Errorf("%q %v", shown, err)
	}
}
