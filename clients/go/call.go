package plm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Call calls any method by name. params and result may be nil; a result is decoded as encoding/json
// does.
func (c *Client) Call(ctx context.Context, method string, params, result any) error {
	return c.do(ctx, method, params, result, nil)
}

// do is Call with notifications: on is called for each, in this goroutine. An error from it cancels
// the call and is returned.
func (c *Client) do(ctx context.Context, method string, params, result any, on func(Event) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	id := c.nextID.Add(1)
	line, err := encodeRequest(id, method, params)
	if err != nil {
		return err
	}
	for {
		live, fresh, err := c.connect(ctx)
		if err != nil {
			return err
		}
		call := &pending{id: id, reply: make(chan reply, 1), wake: make(chan struct{}, 1), wants: on != nil}
		answer := live.exchange(ctx, line, call, on)
		// The daemon went away while the connection was idle: nobody has seen the request.
		var broken *ConnError
		if errors.As(answer.err, &broken) && !fresh && !call.wasSent() {
			continue
		}
		if answer.err != nil {
			return answer.err
		}
		return decodeResult(method, answer.result, result)
	}
}

func decodeResult(method string, raw json.RawMessage, result any) error {
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(raw, result); err != nil {
		return fmt.Errorf("plm: the result of %s: %w", method, err)
	}
	return nil
}

type request struct {
	Version string `json:"jsonrpc"`
	ID      int64  `json:"id,omitempty"`
	Method  string `json:"method"`
	Params  any    `json:"params,omitempty"`
}

func encodeRequest(id int64, method string, params any) ([]byte, error) {
	var buf bytes.Buffer
	encoder := json.NewEncoder(&buf)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(request{"2.0", id, method, params}); err != nil {
		return nil, fmt.Errorf("plm: the params of %s: %w", method, err)
	}
	return buf.Bytes(), checkLine(buf.Bytes())
}

// exchange sends a call and waits for its response.
func (c *conn) exchange(ctx context.Context, line []byte, call *pending, on func(Event) error) reply {
	select {
	case c.slots <- struct{}{}:
	case <-c.done:
		return reply{err: c.reason()}
	case <-ctx.Done():
		return reply{err: ctx.Err()}
	}
	c.add(call)
	select {
	case c.out <- outgoing{line, call}:
	case <-c.done:
		return reply{err: c.reason()}
	case <-ctx.Done():
		c.take(call.id)
		return reply{err: ctx.Err()}
	}
	return c.wait(ctx, call, on)
}

func (c *conn) wait(ctx context.Context, call *pending, on func(Event) error) reply {
	for {
		select {
		case answer := <-call.reply:
			if err := deliver(call, on); err != nil {
				return reply{err: err}
			}
			return answer
		case <-call.wake:
			if err := deliver(call, on); err != nil {
				c.cancel(call)
				return reply{err: err}
			}
		case <-ctx.Done():
			c.cancel(call)
			return reply{err: ctx.Err()}
		case <-c.done:
			return c.lastWord(call, on)
		}
	}
}

// lastWord prefers a response that arrived just before the end.
func (c *conn) lastWord(call *pending, on func(Event) error) reply {
	if err := deliver(call, on); err != nil {
		return reply{err: err}
	}
	select {
	case answer := <-call.reply:
		return answer
	default:
		return reply{err: c.reason()}
	}
}

func deliver(call *pending, on func(Event) error) error {
	if on == nil {
		return nil
	}
	for _, event := range call.drain() {
		if err := on(event); err != nil {
			return err
		}
	}
	return nil
}

// cancel tells the daemon that nobody waits any more. Its slot stays taken until the daemon has
// answered; the caller does not wait for that.
func (c *conn) cancel(call *pending) {
	call.abandon()
	line, err := encodeRequest(0, "$/cancelRequest", map[string]int64{"id": call.id})
	if err != nil {
		return
	}
	select {
	case c.out <- outgoing{line: line}:
	default: // the writer is busy with a long line
		go func() {
			select {
			case c.out <- outgoing{line: line}:
			case <-c.done:
			}
		}()
	}
}
