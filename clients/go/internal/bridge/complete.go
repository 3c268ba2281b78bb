package bridge

import (
	"encoding/json"
	"net/http"
	"time"

	plm "plm.local/clients/go"
)

type completeBody struct {
	sampling
	Prompt   json.RawMessage `json:"prompt"`
	Echo     bool            `json:"echo"`
	BestOf   *float64        `json:"best_of"`
	Suffix   string          `json:"suffix"`
	Logprobs *int32          `json:"logprobs"`
}

const defaultCompletion = 16 // OpenAI's

func (body *completeBody) request() (*plm.CompleteRequest, error) {
	options, err := body.options()
	if err != nil {
		return nil, err
	}
	if body.BestOf != nil && *body.BestOf != 1 || body.Suffix != "" {
		return nil, invalid("best_of and suffix are not supported")
	}
	options.Logprobs = body.Logprobs
	if options.MaxTokens == 0 {
		options.MaxTokens = defaultCompletion
	}
	request := &plm.CompleteRequest{Echo: body.Echo, Options: options}
	request.Prompt, err = parsePrompt(body.Prompt)
	return request, err
}

func parsePrompt(raw json.RawMessage) (any, error) {
	var text string
	var texts []string
	var tokens []int32
	switch {
	case !isNull(raw) && json.Unmarshal(raw, &text) == nil:
		return text, nil
	case json.Unmarshal(raw, &tokens) == nil && len(tokens) > 0:
		return tokens, nil
	case json.Unmarshal(raw, &texts) == nil && len(texts) == 1:
		return texts[0], nil
	}
	return nil, invalid("prompt must be one string or an array of token ids")
}

type outText struct {
	Text     string  `json:"text"`
	Index    int     `json:"index"`
	Logprobs any     `json:"logprobs"`
	Finish   *string `json:"finish_reason"`
}

type outCompletion struct {
	ID      string    `json:"id"`
	Object  string    `json:"object"`
	Created int64     `json:"created"`
	Model   string    `json:"model"`
	Choices []outText `json:"choices"`
	Usage   *usage    `json:"usage,omitempty"`
	Daemon  *about    `json:"plm,omitempty"`
}

func (b *exchange) complete(w http.ResponseWriter, r *http.Request) {
	var body completeBody
	if err := readJSON(w, r, &body); err != nil {
		b.fail(w, r, err)
		return
	}
	request, err := body.request()
	if err == nil {
		err = b.prepare(r.Context(), body.Model, &request.Options)
	}
	if err != nil {
		b.fail(w, r, err)
		return
	}
	out := outCompletion{ID: newID("cmpl-"), Object: "text_completion", Created: time.Now().Unix(), Model: body.Model}
	if out.Model == "" {
		out.Model = request.Model
	}
	if body.Stream {
		b.streamCompletion(w, r, &body, request, out)
		return
	}
	result, err := b.client.Complete(r.Context(), request)
	if err == nil {
		err = usable(result)
	}
	if err != nil {
		b.fail(w, r, err)
		return
	}
	b.logResult(r, result, false)
	out.Choices = []outText{{result.Text(), 0, b.plainLogprobs(r.Context(), result.Logprobs), &result.FinishReason}}
	out.Usage, out.Daemon = usageOf(result.Usage), aboutOf(result)
	reply(w, http.StatusOK, out)
}

func (b *exchange) streamCompletion(w http.ResponseWriter, r *http.Request, body *completeBody, request *plm.CompleteRequest, out outCompletion) {
	events := newSSE(w, b.options.KeepAlive)
	defer events.stop()
	say := func(piece string) error {
		if piece == "" {
			return nil
		}
		out.Choices = []outText{{Text: piece}}
		return events.send(out)
	}
	result, err := b.client.StreamComplete(r.Context(), request, func(e plm.Event) error {
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
	out.Choices = []outText{{Finish: &result.FinishReason, Logprobs: b.plainLogprobs(r.Context(), result.Logprobs)}}
	out.Daemon = aboutOf(result)
	if !body.wantsUsageChunk() {
		out.Usage = usageOf(result.Usage)
	}
	if events.send(out) != nil {
		return
	}
	if body.wantsUsageChunk() {
		out.Choices, out.Usage, out.Daemon = []outText{}, usageOf(result.Usage), nil
		if events.send(out) != nil {
			return
		}
	}
	_ = events.done() // nothing follows
}
