package plm

import (
	"bytes"
	"encoding/json"
)

// ArgumentsOf turns the arguments of an echoed call, as agents send them, into an object: a string is
// decoded, nothing is {}, and what is no object becomes {"raw": …}, as agents do with what they
// cannot read.
func ArgumentsOf(raw json.RawMessage) json.RawMessage {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		raw = json.RawMessage(text)
	}
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return json.RawMessage("{}")
	}
	if raw[0] == '{' && json.Valid(raw) && checkLine(raw) == nil {
		return raw
	}
	wrapped, err := marshal(map[string]string{"raw": string(raw)})
	if err != nil {
		return json.RawMessage("{}") // cannot be: a string always encodes
	}
	return wrapped
}
