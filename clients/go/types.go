package plm

import (
	"encoding/json"
)

// Part is a piece of a message's text. Stable marks it as a cache breakpoint: of a leading system
// message, the stable parts come first in the prompt and the others right before the last user
// message.
type Part struct {
	Text   string
	Stable bool
}

// Call is a tool call: made by the model, or echoed in the history.
type Call struct {
	ID        string          `json:"id,omitempty"`
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments"` // an object, as it was written
}

// Message is one turn of a conversation. Parts, where there are any, replace Content.
type Message struct {
	Role       string // system, user, assistant, tool
	Content    string
	Parts      []Part
	Name       string
	ToolCalls  []Call
	ToolCallID string
}

type wirePart struct {
	Type  string            `json:"type"`
	Text  string            `json:"text"`
	Cache map[string]string `json:"cache_control,omitempty"`
}

type wireMessage struct {
	Role       string `json:"role"`
	Content    any    `json:"content"`
	Name       string `json:"name,omitempty"`
	ToolCalls  []Call `json:"tool_calls,omitempty"`
	ToolCallID string `json:"tool_call_id,omitempty"`
}

// MarshalJSON writes the message as the daemon takes it.
func (m Message) MarshalJSON() ([]byte, error) {
	wire := wireMessage{m.Role, m.Content, m.Name, m.ToolCalls, m.ToolCallID}
	if len(m.Parts) > 0 {
		parts := make([]wirePart, len(m.Parts))
		for i, part := range m.Parts {
			parts[i] = wirePart{Type: "text", Text: part.Text}
			if part.Stable {
				parts[i].Cache = map[string]string{"type": "ephemeral"}
			}
		}
		wire.Content = parts
	}
	return marshal(wire)
}

// Tool is what the model may call. Parameters is its JSON Schema: a json.RawMessage (its members
// keep their order, which is the order of the arguments) or anything that encodes as one; nil means
// no arguments.
type Tool struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Parameters  any    `json:"parameters,omitempty"`
}

// ToolChoice says whether the model must call: see Auto, Required, None and Named.
type ToolChoice struct {
	Mode string // auto, required or none
	Name string // if not empty, this tool
}

// Tool choices; the zero value is the method's default.
var (
	Auto     = ToolChoice{Mode: "auto"}
	Required = ToolChoice{Mode: "required"}
	None     = ToolChoice{Mode: "none"}
)

// Named asks for a call of one tool.
func Named(tool string) ToolChoice { return ToolChoice{Name: tool} }

// FirstChoice asks for a call until a tool has answered, and leaves it to the model from then on: for
// models that are too small to decide to call. last is the role of the last message.
func FirstChoice(last string) ToolChoice {
	if last == "tool" {
		return Auto
	}
	return Required
}

// MarshalJSON writes the choice as the daemon takes it.
func (c ToolChoice) MarshalJSON() ([]byte, error) {
	if c.Name != "" {
		return marshal(map[string]string{"name": c.Name})
	}
	return marshal(c.Mode)
}

// ResponseFormat constrains free text.
type ResponseFormat struct {
	Type    string          `json:"type"` // text, json_object, json_schema, regex, gbnf
	Schema  json.RawMessage `json:"schema,omitempty"`
	Pattern string          `json:"pattern,omitempty"`
	Grammar string          `json:"grammar,omitempty"`
}

// Reasoning bounds a thinking model's thoughts.
type Reasoning struct {
	Enabled   *bool  `json:"enabled,omitempty"`
	MaxTokens *int64 `json:"max_tokens,omitempty"`
}

// CacheOptions says what becomes of the computed prompt.
type CacheOptions struct {
	Store *bool `json:"store,omitempty"`
	Pin   bool  `json:"pin,omitempty"`
}

// Options are what every generation takes; what is left out has the daemon's default.
type Options struct {
	Model            string             `json:"model,omitempty"`
	MaxTokens        int64              `json:"max_tokens,omitempty"` // larger than what is left: clamped
	DeadlineMS       int64              `json:"deadline_ms,omitempty"`
	Stop             []string           `json:"stop,omitempty"`
	Priority         string             `json:"priority,omitempty"` // interactive, batch
	JSONStyle        string             `json:"json_style,omitempty"`
	Temperature      *float64           `json:"temperature,omitempty"`
	TopK             *int32             `json:"top_k,omitempty"`
	TopP             *float64           `json:"top_p,omitempty"`
	MinP             *float64           `json:"min_p,omitempty"`
	TypicalP         *float64           `json:"typical_p,omitempty"`
	RepeatPenalty    *float64           `json:"repeat_penalty,omitempty"`
	PresencePenalty  *float64           `json:"presence_penalty,omitempty"`
	FrequencyPenalty *float64           `json:"frequency_penalty,omitempty"`
	Seed             *int64             `json:"seed,omitempty"`
	LogitBias        map[string]float64 `json:"logit_bias,omitempty"` // by token id
	Logprobs         *int32             `json:"logprobs,omitempty"`
	ResponseFormat   *ResponseFormat    `json:"response_format,omitempty"` // not for ToolCall
	Cache            *CacheOptions      `json:"cache,omitempty"`
	Overflow         string             `json:"overflow,omitempty"`       // error, shift
	OnUnsupported    string             `json:"on_unsupported,omitempty"` // error, widen
}

// Request is a conversation, for ToolCall, Chat, Stream, Render and Count.
type Request struct {
	Messages   []Message  `json:"messages,omitempty"`
	Prompt     string     `json:"prompt,omitempty"` // instead: one user message
	Tools      []Tool     `json:"tools,omitempty"`
	ToolChoice ToolChoice `json:"tool_choice,omitzero"`
	MaxCalls   int32      `json:"max_calls,omitempty"`
	Now        *int64     `json:"now,omitempty"`
	Reasoning  *Reasoning `json:"reasoning,omitempty"`
	Options
}

// CompleteRequest is raw text or token ids to go on with.
type CompleteRequest struct {
	Prompt     any   `json:"prompt"` // string or []int32
	AddSpecial *bool `json:"add_special,omitempty"`
	Echo       bool  `json:"echo,omitempty"`
	Options
}

// Usage counts tokens. What a request had to prefill is PromptTokens - CachedTokens.
type Usage struct {
	PromptTokens     int64 `json:"prompt_tokens"`
	CachedTokens     int64 `json:"cached_tokens"`
	CompletionTokens int64 `json:"completion_tokens"`
	ForcedTokens     int64 `json:"forced_tokens"`
	DraftedTokens    int64 `json:"drafted_tokens"`
	AcceptedTokens   int64 `json:"accepted_tokens"`
	Steps            int64 `json:"steps"`
	TotalTokens      int64 `json:"total_tokens"`
}

// Timing is in milliseconds.
type Timing struct {
	QueueMS   float64 `json:"queue_ms"`
	PrefillMS float64 `json:"prefill_ms"`
	DecodeMS  float64 `json:"decode_ms"`
	TotalMS   float64 `json:"total_ms"`
}

// TokenLogprob is a token with its log probability, nil if that is minus infinity.
type TokenLogprob struct {
	Token   int32          `json:"token"`
	Logprob *float64       `json:"logprob"`
	Top     []TokenLogprob `json:"top,omitempty"`
}

// Warning names a schema keyword that was dropped (OnUnsupported "widen"). Validated: the answer was
// still held against it.
type Warning struct {
	Path      string `json:"path"`
	Keyword   string `json:"keyword"`
	Reason    string `json:"reason"`
	Validated bool   `json:"validated"`
}

// Result is a finished generation.
type Result struct {
	Calls        []Call  `json:"calls"`
	Content      *string `json:"content"`
	FinishReason string  `json:"finish_reason"` // tool_calls, stop, length, invalid
	Usage        Usage   `json:"usage"`
	Timing       Timing  `json:"timing"`
	CacheUse     struct {
		Key       string `json:"key"`
		HitTokens int64  `json:"hit_tokens"`
		Source    string `json:"source"`
	} `json:"cache"`
	Model           string         `json:"model"`
	Seed            int64          `json:"seed"`
	Now             int64          `json:"now"`
	Logprobs        []TokenLogprob `json:"logprobs"`
	Warnings        []Warning      `json:"warnings"`
	Reasoning       string         `json:"reasoning"`
	ShiftedMessages int64          `json:"shifted_messages"`
}

// Text is the content, empty if there is none.
func (r *Result) Text() string {
	if r.Content == nil {
		return ""
	}
	return *r.Content
}

// Token is a piece of generated text: whole characters, and the texts of all in the order of Seq are
// what was generated, calls and their markup included. A gap in Seq means that this reader was too
// slow.
type Token struct {
	Seq      int64          `json:"seq"`
	Text     string         `json:"text"`
	Tokens   []int32        `json:"tokens"`
	Logprobs []TokenLogprob `json:"logprobs"`
}

// Progress tells how far a request is.
type Progress struct {
	Seq           int64    `json:"seq"`
	Phase         string   `json:"phase"` // queued, prefill, decode
	Done          int64    `json:"done"`
	Total         int64    `json:"total"`
	QueuePosition *int64   `json:"queue_position"`
	EtaMS         *float64 `json:"eta_ms"`
}

// Event tells about a streamed request. Text is what of the answer may be shown now: the texts of all
// events, joined, are the result's Text(), and never hold a call or a part of its markup. Token and
// Progress are the daemon's notifications; at most one is set, and the last event may have neither.
type Event struct {
	Text     string
	Token    *Token
	Progress *Progress
}

func parseEvent(method string, params json.RawMessage) (event Event, id int64, ok bool) {
	var about struct {
		ID int64 `json:"id"`
	}
	if json.Unmarshal(params, &about) != nil {
		return Event{}, 0, false
	}
	var err error
	switch method {
	case "token":
		event.Token = new(Token)
		err = json.Unmarshal(params, event.Token)
	case "progress":
		event.Progress = new(Progress)
		err = json.Unmarshal(params, event.Progress)
	default:
		return Event{}, 0, false
	}
	return event, about.ID, err == nil
}

// Value returns a pointer to v, for optional members.
func Value[T any](v T) *T { return &v }
