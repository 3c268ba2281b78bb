package bridge

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"time"

	plm "plm.local/clients/go"
)

type usage struct {
	PromptTokens     int64         `json:"prompt_tokens"`
	CompletionTokens int64         `json:"completion_tokens"`
	TotalTokens      int64         `json:"total_tokens"`
	Details          promptDetails `json:"prompt_tokens_details"`
}

type promptDetails struct {
	CachedTokens int64 `json:"cached_tokens"`
}

func usageOf(u plm.Usage) *usage {
	return &usage{u.PromptTokens, u.CompletionTokens, u.TotalTokens, promptDetails{u.CachedTokens}}
}

type outCall struct {
	Index    *int        `json:"index,omitempty"` // in streams only, dense from 0
	ID       string      `json:"id"`
	Type     string      `json:"type"`
	Function outFunction `json:"function"`
}

type outFunction struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

func callsOf(calls []plm.Call, indexed bool) []outCall {
	var out []outCall
	for i, call := range calls {
		item := outCall{ID: call.ID, Type: "function", Function: outFunction{call.Name, string(call.Arguments)}}
		if indexed {
			item.Index = &i
		}
		out = append(out, item)
	}
	return out
}

type outMessage struct {
	Role      string    `json:"role"`
	Content   *string   `json:"content"`
	Reasoning string    `json:"reasoning_content,omitempty"`
	Calls     []outCall `json:"tool_calls,omitempty"`
}

type outChoice struct {
	Index    int         `json:"index"`
	Message  *outMessage `json:"message,omitempty"`
	Delta    any         `json:"delta,omitempty"`
	Logprobs any         `json:"logprobs"`
	Finish   *string     `json:"finish_reason"`
}

type outChat struct {
	ID      string      `json:"id"`
	Object  string      `json:"object"`
	Created int64       `json:"created"`
	Model   string      `json:"model"`
	Choices []outChoice `json:"choices"`
	Usage   *usage      `json:"usage,omitempty"`
	Daemon  *about      `json:"plm,omitempty"`
}

// about is what the daemon says beyond OpenAI's members.
type about struct {
	Model    string     `json:"model"`
	Seed     int64      `json:"seed"`
	Forced   int64      `json:"forced_tokens"`
	Steps    int64      `json:"steps"`
	Timing   plm.Timing `json:"timing"`
	Warnings any        `json:"warnings,omitempty"`
}

func aboutOf(r *plm.Result) *about {
	out := &about{Model: r.Model, Seed: r.Seed, Forced: r.Usage.ForcedTokens, Steps: r.Usage.Steps, Timing: r.Timing}
	if len(r.Warnings) > 0 {
		out.Warnings = r.Warnings
	}
	return out
}

func newID(kind string) string {
	var random [12]byte
	_, _ = rand.Read(random[:]) // never fails
	return kind + hex.EncodeToString(random[:])
}

func (b *exchange) chat(w http.ResponseWriter, r *http.Request) {
	var body chatBody
	if err := readJSON(w, r, &body); err != nil {
		b.fail(w, r, err)
		return
	}
	request, err := body.request(b.options.MaxCalls)
	if err == nil {
		err = b.prepare(r.Context(), body.Model, &request.Options)
	}
	if err != nil {
		b.fail(w, r, err)
		return
	}
	out := outChat{ID: newID("chatcmpl-"), Object: "chat.completion", Created: time.Now().Unix(), Model: body.Model}
	if out.Model == "" {
		out.Model = request.Model
	}
	if body.Stream {
		b.streamChat(w, r, &body, request, out)
		return
	}
	result, err := b.client.Chat(r.Context(), request)
	if err == nil {
		err = usable(result)
	}
	if err != nil {
		b.fail(w, r, err)
		return
	}
	b.logResult(r, result, false)
	out.Choices = []outChoice{b.wholeChoice(r.Context(), result)}
	out.Usage, out.Daemon = usageOf(result.Usage), aboutOf(result)
	reply(w, http.StatusOK, out)
}

// usable refuses a call that a widened grammar allowed and the schema does not: asking again may help.
func usable(result *plm.Result) error {
	if result.FinishReason == "invalid" {
		return &plm.Error{Code: plm.CodeOutputInvalid, Message: "output_invalid: the call does not satisfy its schema"}
	}
	return nil
}

func (b *exchange) wholeChoice(ctx context.Context, result *plm.Result) outChoice {
	message := &outMessage{Role: "assistant", Content: result.Content, Reasoning: result.Reasoning,
		Calls: callsOf(result.Calls, false)}
	if message.Content == nil && len(result.Calls) == 0 {
		message.Content = new(string)
	}
	return outChoice{Message: message, Logprobs: b.chatLogprobs(ctx, result.Logprobs), Finish: &result.FinishReason}
}

// ---- streams ----

type delta struct {
	Role      string    `json:"role,omitempty"`
	Content   *string   `json:"content,omitempty"`
	Reasoning string    `json:"reasoning_content,omitempty"`
	Calls     []outCall `json:"tool_calls,omitempty"`
}

func (out outChat) chunk(d delta, finish *string) outChat {
	out.Object = "chat.completion.chunk"
	out.Choices = []outChoice{{Delta: d, Finish: finish}}
	return out
}

func (b *exchange) streamChat(w http.ResponseWriter, r *http.Request, body *chatBody, request *plm.Request, out outChat) {
	events := newSSE(w, b.options.KeepAlive)
	defer events.stop()
	begun := false
	say := func(piece string) error {
		d := delta{Content: &piece}
		if !begun {
			begun, d.Role = true, "assistant"
		} else if piece == "" {
			return nil
		}
		return events.send(out.chunk(d, nil))
	}
	result, err := b.client.Stream(r.Context(), request, func(e plm.Event) error {
		if e.Progress != nil {
			return events.progress(e.Progress)
		}
		return say(e.Text)
	})
	if err == nil {
		err = usable(result)
	}
	if err != nil {
		b.abort(w, r, events, err)
		return
	}
	b.logResult(r, result, true)
	if say("") != nil { // the role, if nothing else did
		return // the client has left
	}
	b.finishChat(r.Context(), events, out, result, body.wantsUsageChunk())
}

// finishChat sends what is known only at the end. Errors mean that the client has left.
func (b *exchange) finishChat(ctx context.Context, events *sse, out outChat, result *plm.Result, usageChunk bool) {
	for _, call := range callsOf(result.Calls, true) {
		if events.send(out.chunk(delta{Calls: []outCall{call}}, nil)) != nil {
			return
		}
	}
	last := out.chunk(delta{Reasoning: result.Reasoning}, &result.FinishReason)
	last.Choices[0].Logprobs = b.chatLogprobs(ctx, result.Logprobs)
	last.Daemon = aboutOf(result)
	if !usageChunk {
		last.Usage = usageOf(result.Usage)
	}
	if events.send(last) != nil {
		return
	}
	if usageChunk {
		out.Object, out.Choices, out.Usage = "chat.completion.chunk", []outChoice{}, usageOf(result.Usage)
		if events.send(out) != nil {
			return
		}
	}
	_ = events.done() // nothing follows
}

// abort reports a failed stream: with a status as long as none was sent; later only by breaking the
// body off, since clients take an error event for a good end.
func (b *Bridge) abort(w http.ResponseWriter, r *http.Request, events *sse, err error) {
	if !events.stop() {
		b.fail(w, r, err)
		return
	}
	b.logf("%s %s: broken off: %v", r.Method, r.URL.Path, err)
	panic(http.ErrAbortHandler)
}
