package bridge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"time"

	plm "plm.local/clients/go"
)

const (
	maxSeed     = 1<<53 - 1
	bodyTimeout = time.Minute
)

// sampling holds the members that chat and plain completions share, OpenAI's and the daemon's own
// (clients pass those by extra_body). Members not named here are ignored.
type sampling struct {
	Model            string             `json:"model"`
	Stream           bool               `json:"stream"`
	StreamOptions    *streamOptions     `json:"stream_options"`
	N                *float64           `json:"n"`
	MaxTokens        *float64           `json:"max_tokens"`
	MaxCompletion    *float64           `json:"max_completion_tokens"`
	Temperature      *float64           `json:"temperature"`
	TopP             *float64           `json:"top_p"`
	Seed             *int64             `json:"seed"`
	Stop             json.RawMessage    `json:"stop"`
	PresencePenalty  *float64           `json:"presence_penalty"`
	FrequencyPenalty *float64           `json:"frequency_penalty"`
	LogitBias        map[string]float64 `json:"logit_bias"`
	ResponseFormat   json.RawMessage    `json:"response_format"`

	TopK          *int32            `json:"top_k"`
	MinP          *float64          `json:"min_p"`
	TypicalP      *float64          `json:"typical_p"`
	RepeatPenalty *float64          `json:"repeat_penalty"`
	DeadlineMS    int64             `json:"deadline_ms"`
	Priority      string            `json:"priority"`
	JSONStyle     string            `json:"json_style"`
	Overflow      string            `json:"overflow"`
	OnUnsupported string            `json:"on_unsupported"`
	Cache         *plm.CacheOptions `json:"cache"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

func (s *sampling) wantsUsageChunk() bool {
	return s.StreamOptions != nil && s.StreamOptions.IncludeUsage
}

// readJSON reads the whole body, as net/http needs to notice a client that leaves.
func readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout)) // not all connections have one
	body, err := io.ReadAll(r.Body)
	_ = control.SetReadDeadline(time.Time{})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) {
			return invalid(fmt.Sprintf("%q has the wrong type (%s)", kind.Field, kind.Value))
		}
		return invalid("the body is not JSON: " + err.Error())
	}
	return nil
}

func (s *sampling) options() (options plm.Options, err error) {
	if s.N != nil && *s.N != 1 {
		return options, invalid("n other than 1 is not supported")
	}
	options = plm.Options{
		Temperature: s.Temperature, TopK: s.TopK, TopP: s.TopP, MinP: s.MinP, TypicalP: s.TypicalP,
		RepeatPenalty: s.RepeatPenalty, PresencePenalty: s.PresencePenalty,
		FrequencyPenalty: s.FrequencyPenalty, LogitBias: s.LogitBias, DeadlineMS: s.DeadlineMS,
		Priority: s.Priority, JSONStyle: s.JSONStyle, Overflow: s.Overflow,
		OnUnsupported: s.OnUnsupported, Cache: s.Cache,
	}
	if s.TopP != nil && *s.TopP == 0 { // OpenAI's way to say greedy
		options.TopP = plm.Value(1e-6)
	}
	if s.Seed != nil {
		options.Seed = plm.Value(*s.Seed & maxSeed)
	}
	if options.MaxTokens, err = s.budget(); err != nil {
		return options, err
	}
	if options.Stop, err = parseStop(s.Stop); err != nil {
		return options, err
	}
	options.ResponseFormat, err = parseFormat(s.ResponseFormat)
	return options, err
}

// budget is the most tokens to generate, 0 if the client does not say. What is too large the daemon
// clamps. (No message here may say "max_tokens": PicoClaw would take it for a full context.)
func (s *sampling) budget() (int64, error) {
	wanted := s.MaxCompletion
	if wanted == nil {
		wanted = s.MaxTokens
	}
	if wanted == nil {
		return 0, nil
	}
	if *wanted < 1 || *wanted != math.Trunc(*wanted) {
		return 0, invalid("the token budget must be a whole number of at least one")
	}
	return int64(min(*wanted, maxSeed)), nil
}

func isNull(raw json.RawMessage) bool {
	return len(raw) == 0 || bytes.Equal(raw, []byte("null"))
}

func parseStop(raw json.RawMessage) ([]string, error) {
	var one string
	var many, kept []string
	if isNull(raw) {
		return nil, nil
	}
	if json.Unmarshal(raw, &one) == nil {
		many = []string{one}
	} else if json.Unmarshal(raw, &many) != nil {
		return nil, invalid("stop must be a string or an array of strings")
	}
	for _, word := range many {
		if word != "" {
			kept = append(kept, word)
		}
	}
	return kept, nil
}

// parseFormat takes OpenAI's form ({"json_schema":{"schema":…}}) and the daemon's.
func parseFormat(raw json.RawMessage) (*plm.ResponseFormat, error) {
	if isNull(raw) {
		return nil, nil
	}
	var in struct {
		plm.ResponseFormat
		JSONSchema struct {
			Schema json.RawMessage `json:"schema"`
		} `json:"json_schema"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, invalid("response_format: " + err.Error())
	}
	format := in.ResponseFormat
	if len(format.Schema) == 0 {
		format.Schema = in.JSONSchema.Schema
	}
	if format.Type == "json_schema" && isNull(format.Schema) {
		return nil, invalid("response_format has no json_schema.schema")
	}
	if format.Type == "text" {
		return nil, nil
	}
	return &format, nil
}

// ---- chat ----

type chatBody struct {
	sampling
	Messages     []inMessage     `json:"messages"`
	Tools        []inTool        `json:"tools"`
	ToolChoice   json.RawMessage `json:"tool_choice"`
	Parallel     *bool           `json:"parallel_tool_calls"`
	MaxCalls     *int32          `json:"max_calls"`
	Now          *int64          `json:"now"`
	Logprobs     bool            `json:"logprobs"`
	TopLogprobs  int32           `json:"top_logprobs"`
	Functions    json.RawMessage `json:"functions"`
	FunctionCall json.RawMessage `json:"function_call"`
}

type inMessage struct {
	Role       string          `json:"role"`
	Content    json.RawMessage `json:"content"`
	Name       string          `json:"name"`
	ToolCallID string          `json:"tool_call_id"`
	ToolCalls  []struct {
		ID       string `json:"id"`
		Function struct {
			Name      string          `json:"name"`
			Arguments json.RawMessage `json:"arguments"`
		} `json:"function"`
	} `json:"tool_calls"`
}

type inTool struct {
	Type     string `json:"type"`
	Function *struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Parameters  json.RawMessage `json:"parameters"`
	} `json:"function"`
}

// request translates the body; the model is left to the caller.
func (body *chatBody) request(maxCalls int32) (*plm.Request, error) {
	options, err := body.options()
	if err != nil {
		return nil, err
	}
	if !isNull(body.Functions) || !isNull(body.FunctionCall) {
		return nil, invalid("functions is not supported: use tools")
	}
	if len(body.Messages) == 0 {
		return nil, invalid("messages is empty")
	}
	request := &plm.Request{Now: body.Now, Options: options}
	for i := range body.Messages {
		message, err := body.Messages[i].message(i == 0)
		if err != nil {
			return nil, err
		}
		request.Messages = append(request.Messages, message)
	}
	if body.Logprobs {
		request.Logprobs = plm.Value(body.TopLogprobs)
	}
	return request, body.addTools(request, maxCalls)
}

func (body *chatBody) addTools(request *plm.Request, maxCalls int32) (err error) {
	for _, tool := range body.Tools {
		if tool.Type != "function" && tool.Type != "" || tool.Function == nil {
			return invalid("only tools of type function are supported")
		}
		added := plm.Tool{Name: tool.Function.Name, Description: tool.Function.Description}
		if !isNull(tool.Function.Parameters) {
			added.Parameters = tool.Function.Parameters
		}
		request.Tools = append(request.Tools, added)
	}
	if request.ToolChoice, err = body.choice(); err != nil || len(request.Tools) == 0 {
		return err
	}
	request.MaxCalls = maxCalls
	if body.MaxCalls != nil {
		request.MaxCalls = *body.MaxCalls
	}
	if body.Parallel != nil && !*body.Parallel || request.ToolChoice.Name != "" {
		request.MaxCalls = 1
	}
	return nil
}

func (body *chatBody) choice() (plm.ToolChoice, error) {
	raw := body.ToolChoice
	if isNull(raw) {
		return plm.ToolChoice{}, nil
	}
	var mode string
	if json.Unmarshal(raw, &mode) == nil {
		switch mode {
		case "auto", "none", "required":
			return plm.ToolChoice{Mode: mode}, nil
		case "first": // an extension, for models too small to decide to call
			return plm.FirstChoice(body.Messages[len(body.Messages)-1].Role), nil
		}
		return plm.ToolChoice{}, invalid("tool_choice must be auto, none, required or a function")
	}
	var named struct {
		Function struct{ Name string }
	}
	if json.Unmarshal(raw, &named) != nil || named.Function.Name == "" {
		return plm.ToolChoice{}, invalid("tool_choice must be auto, none, required or a function")
	}
	return plm.Named(named.Function.Name), nil
}

// ---- messages ----

func (in *inMessage) message(leads bool) (plm.Message, error) {
	message := plm.Message{Role: in.Role, Name: in.Name, ToolCallID: in.ToolCallID}
	if in.Role == "developer" {
		message.Role = "system"
	}
	if err := in.addContent(&message); err != nil {
		return message, err
	}
	if leads && message.Role == "system" && message.Parts == nil {
		message.Parts = plm.StableFirst(message.Content)
	}
	for _, call := range in.ToolCalls {
		message.ToolCalls = append(message.ToolCalls, plm.Call{ID: call.ID, Name: call.Function.Name,
			Arguments: plm.ArgumentsOf(call.Function.Arguments)})
	}
	return message, nil
}

func (in *inMessage) addContent(message *plm.Message) error {
	if isNull(in.Content) || json.Unmarshal(in.Content, &message.Content) == nil {
		return nil
	}
	var parts []struct {
		Type    string          `json:"type"`
		Text    string          `json:"text"`
		Refusal string          `json:"refusal"`
		Cache   json.RawMessage `json:"cache_control"`
	}
	if json.Unmarshal(in.Content, &parts) != nil {
		return invalid("content must be a string or an array of parts")
	}
	for _, part := range parts {
		switch {
		case part.Type == "text" || part.Type == "input_text" || part.Type == "refusal":
			message.Parts = append(message.Parts, plm.Part{Text: part.Text + part.Refusal, Stable: !isNull(part.Cache)})
		case strings.Contains(part.Type, "image"):
			return &refusal{http.StatusBadRequest, "image input is not supported: the model does not support image input",
				"invalid_request_error", "image_unsupported", "messages"}
		default:
			return invalid(fmt.Sprintf("content parts of type %q are not supported", part.Type))
		}
	}
	return nil
}
