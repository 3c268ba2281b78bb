package plm

import (
	"encoding/json"
	"errors"
	"fmt"
)

// The daemon's defaults. What it could not read it answers without an id, which on a shared
// connection is nobody's: such lines are refused here.
const (
	maxLine  = 4 << 20
	maxDepth = 64
)

var errLine = errors.New("plm: the request cannot be sent")

// checkLine looks for what is JSON to encoding/json but not to the daemon: nesting past its limit,
// duplicate keys and lone surrogates in raw members (schemas, arguments), and lines past its limit.
func checkLine(line []byte) error {
	if len(line) > maxLine {
		return &Error{Code: CodeMessageTooLarge, Message: "message_too_large: request too large for the daemon"}
	}
	c := checker{text: line}
	for c.at < len(line) {
		if err := c.step(); err != nil {
			return fmt.Errorf("%w: %w", errLine, err)
		}
	}
	return nil
}

// checker walks text that is known to be JSON.
type checker struct {
	text   []byte
	at     int
	levels []level
}

type level struct {
	keys map[string]bool // nil for an array
	key  bool            // a string that comes now is a key
}

func (c *checker) step() error {
	switch c.text[c.at] {
	case '{':
		c.levels = append(c.levels, level{keys: map[string]bool{}, key: true})
	case '[':
		c.levels = append(c.levels, level{})
	case '}', ']':
		c.levels = c.levels[:len(c.levels)-1]
	case ',':
		top := &c.levels[len(c.levels)-1]
		top.key = top.keys != nil
	case '"':
		return c.str()
	}
	c.at++
	if len(c.levels) > maxDepth {
		return fmt.Errorf("it is nested deeper than %d", maxDepth)
	}
	return nil
}

func (c *checker) str() error {
	start, escaped := c.at, false
	for c.at++; c.text[c.at] != '"'; c.at++ {
		if c.text[c.at] != '\\' {
			continue
		}
		escaped = true
		if err := c.escape(); err != nil {
			return err
		}
	}
	c.at++
	if len(c.levels) == 0 || !c.levels[len(c.levels)-1].key {
		return nil
	}
	return c.key(c.text[start:c.at], escaped)
}

// escape stands on a backslash and goes to the last byte of the escape.
func (c *checker) escape() error {
	c.at++
	if c.text[c.at] != 'u' {
		return nil
	}
	code := hex4(c.text[c.at+1:])
	c.at += 4
	if code>>10 == 0xDC00>>10 {
		return errors.New("it holds a lone surrogate")
	}
	if code>>10 != 0xD800>>10 {
		return nil
	}
	rest := c.text[c.at+1:]
	if len(rest) < 6 || rest[0] != '\\' || rest[1] != 'u' || hex4(rest[2:])>>10 != 0xDC00>>10 {
		return errors.New("it holds a lone surrogate")
	}
	c.at += 6
	return nil
}

func (c *checker) key(quoted []byte, escaped bool) error {
	name := string(quoted[1 : len(quoted)-1])
	if escaped {
		if err := json.Unmarshal(quoted, &name); err != nil {
			return err
		}
	}
	top := &c.levels[len(c.levels)-1]
	if top.keys[name] {
		return fmt.Errorf("the key %q is there twice in one object", name)
	}
	top.keys[name], top.key = true, false
	return nil
}

func hex4(digits []byte) (code uint32) {
	for _, d := range digits[:4] {
		switch {
		case d <= '9':
			code = code<<4 | uint32(d-'0')
		default:
			code = code<<4 | uint32(d|0x20-'a'+10)
		}
	}
	return code
}
