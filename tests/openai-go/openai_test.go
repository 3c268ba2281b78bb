// Package openai holds the bridge against OpenAI's own Go client. $PLM_BRIDGE is the base URL of a bridge
// with a real model; a module of its own, so that clients/go needs nothing but the standard library.
package openai

import (
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"
)

func start(t *testing.T) (openai.Client, openai.ChatCompletionNewParams) {
	t.Helper()
	base := os.Getenv("PLM_BRIDGE")
	if base == "" {
		t.Skip("PLM_BRIDGE names no bridge")
	}
	client := openai.NewClient(option.WithBaseURL(base), option.WithAPIKey("none"), option.WithMaxRetries(0))
	models, err := client.Models.List(t.Context())
	if err != nil || len(models.Data) == 0 {
		t.Fatal(models, err)
	}
	return client, openai.ChatCompletionNewParams{
		Model:       models.Data[0].ID,
		Messages:    []openai.ChatCompletionMessageParamUnion{openai.UserMessage("What is the weather in Oslo?")},
		Temperature: openai.Float(0),
		MaxTokens:   openai.Int(12),
	}
}

// streamed joins what a stream brings.
func streamed(t *testing.T, client openai.Client, params openai.ChatCompletionNewParams) openai.ChatCompletionAccumulator {
	t.Helper()
	var all openai.ChatCompletionAccumulator
	stream := client.Chat.Completions.NewStreaming(t.Context(), params)
	for stream.Next() {
		if !all.AddChunk(stream.Current()) {
			t.Fatal("the chunks do not fit together")
		}
	}
	if stream.Err() != nil {
		t.Fatal(stream.Err())
	}
	return all
}

func TestChat(t *testing.T) {
	client, params := start(t)
	whole, err := client.Chat.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	text := whole.Choices[0].Message.Content
	if text == "" || whole.Usage.CompletionTokens == 0 || whole.Usage.CompletionTokens > 12 {
		t.Error(whole.RawJSON())
	}
	params.StreamOptions.IncludeUsage = openai.Bool(true)
	all := streamed(t, client, params)
	if all.Choices[0].Message.Content != text || all.Usage.PromptTokens != whole.Usage.PromptTokens ||
		all.Choices[0].FinishReason != whole.Choices[0].FinishReason {
		t.Errorf("%+v", all)
	}
}

func TestTools(t *testing.T) {
	client, params := start(t)
	params.MaxTokens = openai.Int(100)
	params.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
		Name: "weather",
		Parameters: shared.FunctionParameters{"type": "object", "required": []string{"city"},
			"properties": map[string]any{"city": map[string]any{"type": "string"}}},
	})}
	params.ToolChoice = openai.ChatCompletionToolChoiceOptionUnionParam{OfAuto: openai.String("required")}
	whole, err := client.Chat.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	choice := whole.Choices[0]
	if choice.FinishReason != "tool_calls" || len(choice.Message.ToolCalls) == 0 {
		t.Fatal(whole.RawJSON())
	}
	call := choice.Message.ToolCalls[0]
	var arguments struct{ City *string }
	if json.Unmarshal([]byte(call.Function.Arguments), &arguments) != nil || arguments.City == nil || call.ID == "" {
		t.Error(call.RawJSON())
	}
	all := streamed(t, client, params).Choices[0]
	if len(all.Message.ToolCalls) != len(choice.Message.ToolCalls) || all.Message.Content != "" ||
		all.Message.ToolCalls[0].Function.Arguments != call.Function.Arguments {
		t.Errorf("%+v", all)
	}
	// The call and its result, echoed by the client's own types.
	params.Messages = append(params.Messages, choice.Message.ToParam())
	for _, one := range choice.Message.ToolCalls {
		params.Messages = append(params.Messages, openai.ToolMessage("4 degrees, rain", one.ID))
	}
	params.ToolChoice = openai.ChatCompletionToolChoiceOptionUnionParam{OfAuto: openai.String("none")}
	answer, err := client.Chat.Completions.New(t.Context(), params)
	if err != nil || answer.Choices[0].Message.Content == "" {
		t.Fatal(answer, err)
	}
}

func TestErrors(t *testing.T) {
	client, params := start(t)
	params.MaxTokens = openai.Int(0)
	for range 2 { // whole, then streamed
		_, err := client.Chat.Completions.New(t.Context(), params)
		var refused *openai.Error
		if !errors.As(err, &refused) || refused.StatusCode != 400 || refused.Message == "" || refused.Code == "" {
			t.Error(err)
		}
		stream := client.Chat.Completions.NewStreaming(t.Context(), params)
		if stream.Next() || !errors.As(stream.Err(), &refused) || refused.StatusCode != 400 {
			t.Error(stream.Err())
		}
		params.MaxTokens = openai.Int(12)
		params.N = openai.Int(2)
	}
}
