package plm

import "strings"

// How models open a call. The tokens of a stream hold calls as they were generated; only the text
// before them is for the reader.
var openings = []string{"<tool_call>", "[TOOL_CALLS]", "<|python_tag|>", "<function="}

// gate lets the part of streamed text through that is surely content. What it held back without need
// comes with rest.
type gate struct {
	calls  bool // some may come
	text   strings.Builder
	sent   int
	seq    int64
	closed bool // nothing more until the end
}

// feed takes a token and returns what may be shown.
func (g *gate) feed(token *Token) string {
	g.closed = g.closed || token.Seq != g.seq
	g.seq = token.Seq + 1
	if g.closed {
		return ""
	}
	g.text.WriteString(token.Text)
	text, end := g.text.String(), g.text.Len()
	if g.calls {
		end = g.safe(text)
	}
	if end <= g.sent {
		return ""
	}
	shown := text[g.sent:end]
	g.sent = end
	return shown
}

// safe is the length of the text before anything that is or may become a call's opening; blanks
// before one are not content either.
func (g *gate) safe(text string) int {
	end := len(text)
	for _, opening := range openings {
		if at := strings.Index(text[g.sent:], opening); at >= 0 {
			g.closed = true
			end = min(end, g.sent+at)
			continue
		}
		for n := min(len(opening)-1, len(text)-g.sent); n > 0; n-- {
			if strings.HasSuffix(text, opening[:n]) {
				end = min(end, len(text)-n)
				break
			}
		}
	}
	return g.sent + len(strings.TrimRight(text[g.sent:max(end, g.sent)], " \t\r\n"))
}

// rest is what of the whole content has not been shown.
func (g *gate) rest(content string) string {
	if shown := g.text.String()[:g.sent]; strings.HasPrefix(content, shown) {
		return content[g.sent:]
	}
	return ""
}
