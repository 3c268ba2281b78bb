package bridge

import (
	"context"
	"strings"
	"unicode/utf8"

	plm "plm.local/clients/go"
)

const minusInfinity = -9999.0 // as OpenAI writes it

type outLogprob struct {
	Token   string       `json:"token"`
	Logprob float64      `json:"logprob"`
	Bytes   []int        `json:"bytes"`
	Top     []outLogprob `json:"top_logprobs"`
}

// speller turns token ids into text, each once.
type speller struct {
	client *plm.Client
	ctx    context.Context
	known  map[int32]string
}

func (s *speller) text(token int32) string {
	text, ok := s.known[token]
	if !ok {
		text, _ = s.client.Detokenize(s.ctx, []int32{token}) // without its text the number is still of use
		s.known[token] = text
	}
	return text
}

func (s *speller) entry(p plm.TokenLogprob) outLogprob {
	text := s.text(p.Token)
	entry := outLogprob{Token: text, Logprob: minusInfinity, Top: []outLogprob{}}
	if p.Logprob != nil {
		entry.Logprob = *p.Logprob
	}
	if !strings.ContainsRune(text, utf8.RuneError) { // else it is a part of a character
		entry.Bytes = []int{}
		for _, b := range []byte(text) {
			entry.Bytes = append(entry.Bytes, int(b))
		}
	}
	return entry
}

// chatLogprobs is null where there are none.
func (b *exchange) chatLogprobs(ctx context.Context, probs []plm.TokenLogprob) any {
	if len(probs) == 0 {
		return nil
	}
	spell := speller{b.client, ctx, map[int32]string{}}
	content := make([]outLogprob, len(probs))
	for i, p := range probs {
		content[i] = spell.entry(p)
		for _, top := range p.Top {
			content[i].Top = append(content[i].Top, spell.entry(top))
		}
	}
	return map[string]any{"content": content}
}

// plainLogprobs has the older form of /v1/completions.
func (b *exchange) plainLogprobs(ctx context.Context, probs []plm.TokenLogprob) any {
	if len(probs) == 0 {
		return nil
	}
	spell := speller{b.client, ctx, map[int32]string{}}
	var out struct {
		Tokens  []string             `json:"tokens"`
		Numbers []float64            `json:"token_logprobs"`
		Top     []map[string]float64 `json:"top_logprobs"`
		Offsets []int                `json:"text_offset"`
	}
	offset := 0
	for _, p := range probs {
		entry := spell.entry(p)
		tops := map[string]float64{}
		for _, top := range p.Top {
			other := spell.entry(top)
			tops[other.Token] = other.Logprob
		}
		out.Tokens = append(out.Tokens, entry.Token)
		out.Numbers = append(out.Numbers, entry.Logprob)
		out.Top = append(out.Top, tops)
		out.Offsets = append(out.Offsets, offset)
		offset += utf8.RuneCountInString(entry.Token)
	}
	return out
}
