package plm

import "strings"

// Agents put what changes (time, session, sender, summary) at the end of their system text.
// PicoClaw's begins so:
const (
	separator = "\n\n---\n\n"
	clock     = "## Current Time\n"
)

// StableFirst splits a system text before the tail that changes with every request, so that the
// daemon can render what stays before the tools and the history, and the tail right before the last
// user message. Text without such a tail is one stable part.
func StableFirst(system string) []Part {
	if strings.HasPrefix(system, clock) {
		return []Part{{Text: system}}
	}
	at := strings.LastIndex(system, separator+clock)
	if at < 0 {
		return []Part{{Text: system, Stable: true}}
	}
	return []Part{
		{Text: system[:at], Stable: true},
		{Text: system[at+len(separator):]},
	}
}
