package plm_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	plm "plm.local/clients/go"
	"plm.local/clients/go/internal/fake"
)

// dial connects to the daemon at $PLM_SOCKET; without one, to a stand-in.
func dial(ctx context.Context) (*plm.Client, func()) {
	socket := os.Getenv("PLM_SOCKET")
	done := func() {}
	if socket == "" {
		daemon, err := fake.Start(standIn)
		if err != nil {
			log.Fatal(err)
		}
		socket, done = daemon.Path, daemon.Close
	}
	client, err := plm.Dial(ctx, socket)
	if err != nil {
		log.Fatal(err)
	}
	return client, func() { client.Close(); done() }
}

func standIn(call *fake.Call) (any, error) {
	switch call.Method {
	case "health":
		return map[string]any{"status": "ok"}, nil
	case "tokenize":
		return map[string]any{"tokens": []int{19556, 905}}, nil
	case "detokenize":
		return map[string]any{"text": "Hello world"}, nil
	case "tool_call":
		arguments := json.RawMessage(`{"city": "Oslo"}`)
		return fake.Result(nil, "tool_calls", plm.Call{ID: "call_1", Name: "get_weather", Arguments: arguments}), nil
	}
	if call.Decode()["temperature"] == 9.0 {
		return nil, &plm.Error{Code: plm.CodeInvalidParams, Message: "invalid_params: out of range",
			Data: json.RawMessage(`{"path":"temperature"}`)}
	}
	call.Token("Hel")
	call.Token("lo!")
	return fake.Text("Hello!"), nil
}

func ExampleClient_ToolCall() {
	ctx := context.Background()
	client, done := dial(ctx)
	defer done()
	result, err := client.ToolCall(ctx, &plm.Request{
		Prompt: "What is the weather in Oslo?",
		Tools: []plm.Tool{{
			Name:        "get_weather",
			Description: "Current weather of a city",
			Parameters: json.RawMessage(`{"type": "object", "properties": {"city": {"type": "string"}},
				"required": ["city"]}`),
		}},
		Options: plm.Options{MaxTokens: 100},
	})
	if err != nil {
		log.Fatal(err)
	}
	var arguments struct{ City string }
	err = json.Unmarshal(result.Calls[0].Arguments, &arguments)
	fmt.Println(result.FinishReason, result.Calls[0].Name, arguments.City, err)
	// Output: tool_calls get_weather Oslo <nil>
}

func ExampleClient_Stream() {
	ctx := context.Background()
	client, done := dial(ctx)
	defer done()
	var text strings.Builder
	result, err := client.Stream(ctx, &plm.Request{
		Messages: []plm.Message{{Role: "user", Content: "Say hello"}},
		Options:  plm.Options{Temperature: plm.Value(0.0), MaxTokens: 8},
	}, func(e plm.Event) error {
		text.WriteString(e.Text)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(text.String() == result.Text(), text.Len() > 0)
	// Output: true true
}

func ExampleClient_Tokenize() {
	ctx := context.Background()
	client, done := dial(ctx)
	defer done()
	tokens, err := client.Tokenize(ctx, "Hello world")
	if err != nil {
		log.Fatal(err)
	}
	text, err := client.Detokenize(ctx, tokens)
	fmt.Println(len(tokens), text, err)
	// Output: 2 Hello world <nil>
}

func ExampleClient_Health() {
	ctx := context.Background()
	client, done := dial(ctx)
	defer done()
	state, err := client.Health(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(state.Status)
	// Output: ok
}

func ExampleError() {
	ctx := context.Background()
	client, done := dial(ctx)
	defer done()
	_, err := client.Complete(ctx, &plm.CompleteRequest{
		Prompt: "Once upon a time", Options: plm.Options{Temperature: plm.Value(9.0)}})
	var refusal *plm.Error
	if errors.As(err, &refusal) {
		fmt.Println(refusal.Code, refusal.Name(), refusal.Path())
	}
	// Output: -32602 invalid_params temperature
}
