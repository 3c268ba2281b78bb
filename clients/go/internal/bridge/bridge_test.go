package bridge

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	plm "plm.local/clients/go"
	"plm.local/clients/go/internal/fake"
)

type setup struct {
	daemon *fake.Daemon
	server *httptest.Server
}

// start runs a bridge over a fake daemon; answer is for generations.
func start(t *testing.T, options Options, answer fake.Handler) setup {
	t.Helper()
	return startWith(t, options, "chat", answer)
}

func startWith(t *testing.T, options Options, capability string, answer fake.Handler) setup {
	t.Helper()
	daemon, err := fake.Start(func(call *fake.Call) (any, error) {
		switch call.Method {
		case "hello":
			return map[string]any{"capabilities": []string{capability}, "model": map[string]any{"alias": "Fake-1B"}}, nil
		case "health":
			return map[string]any{"status": "ok"}, nil
		case "detokenize":
			return map[string]any{"text": "t"}, nil
		}
		return answer(call)
	})
	if err != nil {
		t.Fatal(err)
	}
	if options.KeepAlive == 0 {
		options.KeepAlive = 20 * time.Millisecond
	}
	handler := New(daemon.Path, options)
	server := httptest.NewServer(handler)
	t.Cleanup(func() { server.Close(); handler.Close(); daemon.Close() })
	return setup{daemon, server}
}

// post returns the status and the body.
func (s setup) post(t *testing.T, path, body string, header ...string) (int, string) {
	t.Helper()
	request, _ := http.NewRequestWithContext(t.Context(), "POST", s.server.URL+path, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			request.Host = header[i+1]
		}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		text = append(text, "\n(broken off)"...)
	}
	return response.StatusCode, string(text)
}

// generation is the last call that was no hello.
func (s setup) generation(t *testing.T) map[string]any {
	t.Helper()
	calls := s.daemon.Calls()
	for i := len(calls) - 1; i >= 0; i-- {
		if calls[i].Method == "chat" || calls[i].Method == "complete" {
			return calls[i].Decode()
		}
	}
	t.Fatal("no generation was asked for")
	return nil
}

func say(text string) fake.Handler {
	return func(*fake.Call) (any, error) { return fake.Text(text), nil }
}

const ask = `"messages":[{"role":"user","content":"hi"}]`

func TestChat(t *testing.T) {
	s := start(t, Options{}, say("Hello <you>"))
	status, body := s.post(t, "/v1/chat/completions", `{"model":"plm/fake-1b","max_tokens":32768,"unknown":1,`+ask+`}`)
	var out outChat
	if err := json.Unmarshal([]byte(body), &out); err != nil || status != 200 {
		t.Fatal(status, body, err)
	}
	choice := out.Choices[0]
	if *choice.Message.Content != "Hello <you>" || *choice.Finish != "stop" || out.Model != "plm/fake-1b" ||
		out.Usage.Details.CachedTokens != 64 || out.Usage.PromptTokens != 100 {
		t.Error(body)
	}
	if p := s.generation(t); p["max_tokens"] != 32768.0 || p["model"] != "Fake-1B" || p["on_unsupported"] != nil {
		t.Error(p)
	}
}

const weather = `"tools":[{"type":"function","function":{"name":"w","description":"d","strict":true,` +
	`"parameters":{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"integer"}}}}}]`

func twoCalls(call *fake.Call) (any, error) {
	return fake.Result(nil, "tool_calls",
		plm.Call{ID: "c1", Name: "w", Arguments: json.RawMessage(`{"z":"<x>"}`)},
		plm.Call{ID: "c2", Name: "w", Arguments: json.RawMessage(`{"a":1}`)}), nil
}

func TestToolCalls(t *testing.T) {
	s := start(t, Options{MaxCalls: 8}, twoCalls)
	_, body := s.post(t, "/v1/chat/completions", `{"tool_choice":"auto",`+ask+`,`+weather+`}`)
	want := `"tool_calls":[{"id":"c1","type":"function","function":{"name":"w","arguments":"{\"z\":\"<x>\"}"}},` +
		`{"id":"c2","type":"function","function":{"name":"w","arguments":"{\"a\":1}"}}]`
	if !strings.Contains(body, want) || !strings.Contains(body, `"content":null`) {
		t.Error(body)
	}
	if calls := s.daemon.Calls(); !bytes.Contains(calls[len(calls)-1].Params, []byte(`{"z":{"type":"string"},"a":{"type":"integer"}}`)) {
		t.Error("the schema's members changed their order")
	}
}

func TestToolChoice(t *testing.T) {
	s := start(t, Options{MaxCalls: 8}, twoCalls)
	for _, c := range []struct {
		given string
		want  any
		calls any
	}{
		{`"auto"`, "auto", 8.0}, {`"required"`, "required", 8.0}, {`"none"`, "none", 8.0}, {`"first"`, "required", 8.0},
		{`"auto","parallel_tool_calls":false`, "auto", 1.0}, {`null`, nil, 8.0},
		{`{"type":"function","function":{"name":"w"}}`, map[string]any{"name": "w"}, 1.0},
	} {
		s.post(t, "/v1/chat/completions", `{"tool_choice":`+c.given+`,`+ask+`,`+weather+`}`)
		p := s.generation(t)
		if fmt.Sprint(p["tool_choice"]) != fmt.Sprint(c.want) || p["max_calls"] != c.calls {
			t.Errorf("%s: %v %v", c.given, p["tool_choice"], p["max_calls"])
		}
	}
}

func TestStableFirst(t *testing.T) {
	s := start(t, Options{}, say("x"))
	s.post(t, "/v1/chat/completions", `{"messages":[{"role":"system","content":"rules\n\n---\n\n## Current Time\nnoon"},`+
		`{"role":"assistant","content":"","tool_calls":[{"id":"a","type":"function","function":{"name":"w","arguments":"{\"z\": 1.0}"}},`+
		`{"id":"b","function":{"name":"w","arguments":"broken"}}]},`+
		`{"role":"tool","tool_call_id":"a","content":[{"type":"text","text":"r"}]}]}`)
	calls := s.daemon.Calls()
	want := `{"messages":[{"role":"system","content":[{"type":"text","text":"rules","cache_control":{"type":"ephemeral"}},` +
		`{"type":"text","text":"## Current Time\nnoon"}]},` +
		`{"role":"assistant","content":"","tool_calls":[{"id":"a","name":"w","arguments":{"z":1.0}},` +
		`{"id":"b","name":"w","arguments":{"raw":"broken"}}]},` +
		`{"role":"tool","content":[{"type":"text","text":"r"}],"tool_call_id":"a"}],"model":"Fake-1B"}`
	if got := string(calls[len(calls)-1].Params); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestOptionsAreMapped(t *testing.T) {
	s := start(t, Options{}, say("x"))
	s.post(t, "/v1/chat/completions", `{"max_completion_tokens":5,"max_tokens":9,"temperature":0,"seed":-1,"stop":"END",`+
		`"logprobs":true,"top_logprobs":3,"top_k":7,"logit_bias":{"5":-100},"stream_options":null,`+
		`"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"b":1,"a":2}}},`+ask+`}`)
	p := s.generation(t)
	delete(p, "messages")
	got, _ := json.Marshal(p)
	want := `{"logit_bias":{"5":-100},"logprobs":3,"max_tokens":5,"model":"Fake-1B","response_format":{"schema":{"a":2,"b":1},"type":"json_schema"},` +
		`"seed":9007199254740991,"stop":["END"],"temperature":0,"top_k":7}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A daemon that can widen is asked to, others not.
func TestWidens(t *testing.T) {
	s := startWith(t, Options{}, "on_unsupported:widen", func(*fake.Call) (any, error) { return fake.Result(nil, "invalid"), nil })
	status, body := s.post(t, "/v1/chat/completions", `{`+ask+`}`)
	if p := s.generation(t); p["on_unsupported"] != "widen" || status != 500 || !strings.Contains(body, `"message":"output_invalid`) {
		t.Error(p, status, body)
	}
}

func TestRefusals(t *testing.T) {
	s := start(t, Options{}, say("x"))
	for _, c := range []struct{ body, want string }{
		{`{`, "not JSON"}, {`{"messages":[]}`, "messages is empty"}, {`{"n":2,` + ask + `}`, "n other than 1"},
		{`{"max_tokens":0,` + ask + `}`, "token budget"}, {`{"max_tokens":"x",` + ask + `}`, "wrong type"},
		{`{"stop":5,` + ask + `}`, "stop must"}, {`{"tool_choice":"any",` + ask + `}`, "tool_choice"},
		{`{"tools":[{"type":"web_search"}],` + ask + `}`, "only tools of type function"},
		{`{"response_format":{"type":"json_schema"},` + ask + `}`, "response_format"},
		{`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:,"}}]}]}`, "does not support image input"},
		{`{"messages":[{"role":"user","content":[{"type":"input_audio"}]}]}`, "input_audio"},
		{`{"messages":[{"role":"user","content":5}]}`, "content must be"},
		{`{"functions":[{}],` + ask + `}`, "use tools"},
	} {
		status, body := s.post(t, "/v1/chat/completions", c.body)
		if status != 400 || !strings.Contains(body, c.want) || !strings.HasPrefix(body, `{"error":{"message":"`) {
			t.Errorf("%s: %d %s", c.body, status, body)
		}
	}
	if status, _ := s.post(t, "/v1/embeddings", `{}`); status != 404 {
		t.Error(status)
	}
	for _, size := range []int{5 << 20, 9 << 20} {
		status, body := s.post(t, "/v1/chat/completions", `{"messages":[{"role":"user","content":"`+strings.Repeat("x", size)+`"}]}`)
		if status != 413 || !strings.HasPrefix(body, `{"error":{"message":"context_length_exceeded`) {
			t.Error(status, body)
		}
	}
}

func TestErrorsOfTheDaemon(t *testing.T) {
	var refused *plm.Error
	s := start(t, Options{}, func(*fake.Call) (any, error) { return nil, refused })
	for _, c := range []struct {
		code, status int
		message      string
	}{
		{1003, 400, "context_length_exceeded: the prompt is longer than the maximum context length"},
		{1001, 429, "overloaded: later"}, {1005, 503, "model_not_ready: x"}, {1004, 400, "schema_unsupported: x"},
		{1014, 500, "output_invalid: x"}, {-32602, 400, "invalid_params: x"}, {-32603, 500, "internal_error: x"},
	} {
		for _, stream := range []string{"false", "true"} {
			refused = &plm.Error{Code: c.code, Message: c.message}
			status, body := s.post(t, "/v1/chat/completions", `{"stream":`+stream+`,`+ask+`}`)
			if status != c.status || !strings.HasPrefix(body, `{"error":{"message":"`+c.message) {
				t.Errorf("%d: %d %s", c.code, status, body)
			}
		}
	}
}

func TestTheDaemonIsAway(t *testing.T) {
	s := start(t, Options{}, say("back"))
	s.daemon.Stop()
	status, body := s.post(t, "/v1/chat/completions", `{`+ask+`}`)
	if status != 503 || !strings.Contains(body, "daemon_unavailable") {
		t.Error(status, body)
	}
	if err := s.daemon.Listen(); err != nil {
		t.Fatal(err)
	}
	if status, body := s.post(t, "/v1/chat/completions", `{`+ask+`}`); status != 200 {
		t.Error(status, body)
	}
}

// ---- streams ----

// events splits a stream into its chunks; comments and [DONE] are counted.
func events(t *testing.T, body string) (chunks []map[string]any, comments int, done bool) {
	t.Helper()
	lines := bufio.NewScanner(strings.NewReader(body))
	for lines.Scan() {
		line := lines.Text()
		switch data, isData := strings.CutPrefix(line, "data: "); {
		case strings.HasPrefix(line, ":"):
			comments++
		case data == "[DONE]":
			done = true
		case isData:
			chunk := map[string]any{}
			if err := json.Unmarshal([]byte(data), &chunk); err != nil {
				t.Fatal(err, line)
			}
			chunks = append(chunks, chunk)
		case line != "":
			t.Fatalf("a stray line %q", line)
		}
	}
	return chunks, comments, done
}

type joined struct {
	text, finish string
	calls        []string
	indexes      []float64
	usage        map[string]any
}

func join(chunks []map[string]any) (j joined) {
	for _, chunk := range chunks {
		if usage, ok := chunk["usage"].(map[string]any); ok {
			j.usage = usage
		}
		for _, item := range chunk["choices"].([]any) {
			choice := item.(map[string]any)
			if finish, ok := choice["finish_reason"].(string); ok {
				j.finish = finish
			}
			delta := choice["delta"].(map[string]any)
			if text, ok := delta["content"].(string); ok {
				j.text += text
			}
			calls, _ := delta["tool_calls"].([]any)
			for _, call := range calls {
				j.indexes = append(j.indexes, call.(map[string]any)["index"].(float64))
				j.calls = append(j.calls, call.(map[string]any)["function"].(map[string]any)["arguments"].(string))
			}
		}
	}
	return j
}

func TestStream(t *testing.T) {
	s := start(t, Options{}, func(call *fake.Call) (any, error) {
		call.Progress(0, 10)
		time.Sleep(100 * time.Millisecond)
		for _, piece := range []string{"I ", "look", ".\n", "<tool", "_call>\n{", "…"} {
			call.Token(piece)
		}
		return fake.Result("I look.", "tool_calls",
			plm.Call{ID: "c1", Name: "w", Arguments: json.RawMessage(`{"z":"x"}`)},
			plm.Call{ID: "c2", Name: "w", Arguments: json.RawMessage(`{"a":1}`)}), nil
	})
	for _, chunked := range []bool{false, true} {
		extra := `"stream":true,`
		if chunked {
			extra += `"stream_options":{"include_usage":true},`
		}
		status, body := s.post(t, "/v1/chat/completions", `{`+extra+ask+`,`+weather+`}`)
		chunks, comments, done := events(t, body)
		j := join(chunks)
		if status != 200 || !done || comments < 2 || j.text != "I look." || j.finish != "tool_calls" ||
			fmt.Sprint(j.indexes) != "[0 1]" || j.calls[0] != `{"z":"x"}` || j.usage["prompt_tokens"] != 100.0 {
			t.Errorf("%d %d %v %+v\n%s", status, comments, done, j, body)
		}
		if last := chunks[len(chunks)-1]["choices"].([]any); (len(last) == 0) != chunked {
			t.Error(body)
		}
	}
}

// What a slow reader lost comes with the end.
func TestStreamWithAGap(t *testing.T) {
	s := start(t, Options{}, func(call *fake.Call) (any, error) {
		call.Token("one ")
		call.Lose()
		call.Token("three")
		return fake.Text("one two three"), nil
	})
	_, body := s.post(t, "/v1/chat/completions", `{"stream":true,`+ask+`}`)
	if chunks, _, done := events(t, body); join(chunks).text != "one two three" || !done {
		t.Error(body)
	}
}

// An error after the status can be told only by breaking the body off.
func TestStreamBreaksOff(t *testing.T) {
	s := start(t, Options{}, func(call *fake.Call) (any, error) {
		call.Token("so far")
		time.Sleep(30 * time.Millisecond)
		return nil, &plm.Error{Code: 1010, Message: "cancelled: by the admin"}
	})
	status, body := s.post(t, "/v1/chat/completions", `{"stream":true,`+ask+`}`)
	if status != 200 || !strings.HasSuffix(body, "(broken off)") || strings.Contains(body, "[DONE]") {
		t.Error(status, body)
	}
}

func TestDisconnectCancels(t *testing.T) {
	for _, stream := range []string{"false", "true"} {
		arrived := make(chan *fake.Call, 1)
		s := start(t, Options{}, func(call *fake.Call) (any, error) {
			arrived <- call
			<-call.Cancelled
			return nil, &plm.Error{Code: 1010, Message: "cancelled: by the client"}
		})
		ctx, cancel := context.WithCancel(t.Context())
		request, _ := http.NewRequestWithContext(ctx, "POST", s.server.URL+"/v1/chat/completions",
			strings.NewReader(`{"stream":`+stream+`,`+ask+`}`))
		go func() {
			response, err := http.DefaultClient.Do(request)
			if err == nil {
				_, err = io.ReadAll(response.Body)
				response.Body.Close()
			}
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}()
		call := <-arrived
		cancel()
		select {
		case <-call.Cancelled:
		case <-time.After(5 * time.Second):
			t.Error("not cancelled")
		}
	}
}

// Requests at the same time have a connection each; those that follow one another share it.
func TestConnections(t *testing.T) {
	var arrived atomic.Int32
	s := start(t, Options{}, func(call *fake.Call) (any, error) {
		for arrived.Add(1); arrived.Load() < 2; {
			time.Sleep(time.Millisecond)
		}
		return fake.Text("ok"), nil
	})
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() { s.post(t, "/v1/chat/completions", `{`+ask+`}`) })
	}
	group.Wait()
	s.post(t, "/v1/chat/completions", `{`+ask+`}`)
	if n := s.daemon.Connections(); n != 2 {
		t.Errorf("%d connections", n)
	}
}

func TestTooManyAtATime(t *testing.T) {
	release := make(chan struct{})
	var arrived atomic.Int32
	s := start(t, Options{}, func(call *fake.Call) (any, error) {
		arrived.Add(1)
		<-release
		return fake.Text("ok"), nil
	})
	var group sync.WaitGroup
	for range maxLent {
		group.Go(func() {
			if status, body := s.post(t, "/v1/chat/completions", `{`+ask+`}`); status != 200 {
				t.Error(status, body)
			}
		})
	}
	for end := time.Now().Add(20 * time.Second); arrived.Load() < maxLent && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if status, body := s.post(t, "/v1/chat/completions", `{`+ask+`}`); status != 429 || !strings.Contains(body, "overloaded") {
		t.Error(status, body)
	}
	close(release)
	group.Wait()
	if status, _ := s.post(t, "/v1/chat/completions", `{`+ask+`}`); status != 200 {
		t.Error(status)
	}
}

// ---- the rest ----

func TestCompletions(t *testing.T) {
	s := start(t, Options{}, func(call *fake.Call) (any, error) {
		call.Token("one ")
		call.Token("two")
		result := fake.Text("one two")
		result["logprobs"] = []any{map[string]any{"token": 5, "logprob": -0.5, "top": []any{}}}
		return result, nil
	})
	for _, prompt := range []string{`"p"`, `["p"]`, `[1,2]`} {
		status, body := s.post(t, "/v1/completions", `{"logprobs":0,"prompt":`+prompt+`}`)
		if status != 200 || !strings.Contains(body, `"text":"one two"`) || !strings.Contains(body, `"token_logprobs":[-0.5]`) {
			t.Error(status, body)
		}
	}
	if p := s.generation(t); p["max_tokens"] != 16.0 || fmt.Sprint(p["prompt"]) != "[1 2]" {
		t.Error(p)
	}
	_, body := s.post(t, "/v1/completions", `{"stream":true,"prompt":"p"}`)
	if strings.Count(body, `"text":"`) != 3 || !strings.Contains(body, "[DONE]") {
		t.Error(body)
	}
	for _, bad := range []string{`{}`, `{"prompt":["a","b"]}`, `{"prompt":"a","best_of":2}`} {
		if status, body := s.post(t, "/v1/completions", bad); status != 400 {
			t.Error(status, body)
		}
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(text)
}

func TestLists(t *testing.T) {
	s := start(t, Options{Names: []string{"local"}}, say("x"))
	for path, want := range map[string]string{
		"/v1/models":             `"id":"plm/Fake-1B"`,
		"/models":                `"id":"plm/local"`,
		"/v1/models/plm/Fake-1B": `"id":"plm/Fake-1B"`,
		"/api/tags":              `"name":"Fake-1B"`,
		"/health":                `"status":"ok"`,
	} {
		if status, body := get(t, s.server.URL+path); status != 200 || !strings.Contains(body, want) {
			t.Error(path, status, body)
		}
	}
	if status, body := get(t, s.server.URL+"/v1/models/x"); status != 404 {
		t.Error(status, body)
	}
	s.daemon.Stop()
	if status, _ := get(t, s.server.URL+"/health"); status != 503 {
		t.Error(status)
	}
}

func TestWhoMayAsk(t *testing.T) {
	open := start(t, Options{}, say("x"))
	secret := start(t, Options{Token: "secret"}, say("x"))
	for _, c := range []struct {
		s      setup
		header []string
		want   int
	}{
		{open, nil, 200},
		{open, []string{"Origin", "http://localhost:3000"}, 200},
		{open, []string{"Origin", "https://example.com"}, 403},
		{open, []string{"Origin", "null"}, 403},
		{open, []string{"Host", "example.com"}, 403},
		{open, []string{"Host", "localhost:1"}, 200},
		{secret, nil, 401},
		{secret, []string{"Authorization", "Bearer wrong"}, 401},
		{secret, []string{"Authorization", "Bearer secret"}, 200},
	} {
		if status, body := c.s.post(t, "/v1/chat/completions", `{`+ask+`}`, c.header...); status != c.want {
			t.Error(c.header, status, body)
		}
	}
}
