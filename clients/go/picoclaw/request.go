package picoclaw

import (
	"encoding/json"
	"errors"
	"strings"

	types "github.com/sipeed/picoclaw/pkg/providers/protocoltypes"
	plm "plm.local/clients/go"
)

func (p *Provider) request(messages []types.Message, tools []types.ToolDefinition, options map[string]any) (*plm.Request, error) {
	request := &plm.Request{Options: p.extra.Options}
	for i, message := range messages {
		converted, err := convert(message, i == 0)
		if err != nil {
			return nil, err
		}
		request.Messages = append(request.Messages, converted)
	}
	for _, tool := range tools {
		added := plm.Tool{Name: tool.Function.Name, Description: tool.Function.Description}
		if tool.Function.Parameters != nil {
			added.Parameters = tool.Function.Parameters
		}
		request.Tools = append(request.Tools, added)
	}
	if len(request.Tools) > 0 && len(messages) > 0 {
		request.MaxCalls = p.extra.MaxCalls
		request.ToolChoice = p.choice(messages[len(messages)-1].Role)
	}
	applyOptions(request, options)
	return request, nil
}

func (p *Provider) choice(last string) plm.ToolChoice {
	switch p.extra.ToolChoice {
	case "first":
		return plm.FirstChoice(last)
	case "required", "none":
		return plm.ToolChoice{Mode: p.extra.ToolChoice}
	}
	return plm.Auto
}

// applyOptions takes what PicoClaw passes; what the model's extra_body says goes before.
func applyOptions(request *plm.Request, options map[string]any) {
	if n, ok := number(options["max_tokens"]); ok && n >= 1 && request.MaxTokens == 0 {
		request.MaxTokens = int64(n)
	}
	if t, ok := number(options["temperature"]); ok && request.Temperature == nil {
		request.Temperature = plm.Value(min(max(t, 0), 5))
	}
	if level, ok := options["thinking_level"].(string); ok && level == "off" {
		request.Reasoning = &plm.Reasoning{Enabled: plm.Value(false)}
	}
}

func number(value any) (float64, bool) {
	switch n := value.(type) {
	case int:
		return float64(n), true
	case int64:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

func convert(in types.Message, leads bool) (plm.Message, error) {
	if len(in.Media) > 0 {
		return plm.Message{}, errors.New("image input is not supported: the model does not support image input")
	}
	out := plm.Message{Role: in.Role, Content: in.Content, ToolCallID: in.ToolCallID}
	if leads && in.Role == "system" {
		out.Parts = systemParts(in)
	}
	for _, call := range in.ToolCalls {
		echoed, err := convertCall(call)
		if err != nil {
			return out, err
		}
		out.ToolCalls = append(out.ToolCalls, echoed)
	}
	return out, nil
}

// systemParts splits the system text into what stays and what changes. The clock, where there is one,
// says it best, and as the bridge says it: prompts of both are the same, and cached once. Without it
// PicoClaw's own marks count.
func systemParts(in types.Message) []plm.Part {
	if parts := plm.StableFirst(in.Content); len(parts) > 1 || len(in.SystemParts) == 0 {
		return parts
	}
	var stable, changing []string
	for _, block := range in.SystemParts {
		if block.CacheControl != nil && len(changing) == 0 {
			stable = append(stable, block.Text)
		} else {
			changing = append(changing, block.Text)
		}
	}
	var parts []plm.Part
	if len(stable) > 0 {
		parts = append(parts, plm.Part{Text: strings.Join(stable, "\n\n---\n\n"), Stable: true})
	}
	if len(changing) > 0 {
		parts = append(parts, plm.Part{Text: strings.Join(changing, "\n\n---\n\n")})
	}
	return parts
}

// convertCall reads an echoed call, which PicoClaw keeps in either of two places.
func convertCall(in types.ToolCall) (plm.Call, error) {
	name, raw := in.Name, json.RawMessage(nil)
	if in.Function != nil {
		name = in.Function.Name
		raw = json.RawMessage(in.Function.Arguments)
	}
	if len(raw) == 0 && in.Arguments != nil {
		encoded, err := json.Marshal(in.Arguments)
		if err != nil {
			return plm.Call{}, err
		}
		raw = encoded
	}
	return plm.Call{ID: in.ID, Name: name, Arguments: plm.ArgumentsOf(raw)}, nil
}
