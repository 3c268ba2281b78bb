package plm

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"sync"
)

const (
	maxInFlight = 60       // the daemon allows a connection 64
	maxReply    = 64 << 20 // the daemon's own limit is 8 MiB
	maxQueued   = 1 << 16  // notifications waiting for a slow caller
)

// conn is one connection: a goroutine reads, a goroutine writes, calls wait in pending.
type conn struct {
	nc    net.Conn
	out   chan outgoing
	slots chan struct{} // one for each call that the daemon has not answered
	done  chan struct{} // closed when the connection has ended; err says why

	mu      sync.Mutex
	err     error
	pending map[int64]*pending
}

type outgoing struct {
	line []byte
	call *pending // nil for a notification
}

// pending is a call that waits for its response.
type pending struct {
	id    int64
	reply chan reply    // holds one
	wake  chan struct{} // holds one: there are events

	mu     sync.Mutex
	events []Event
	wants  bool
	sent   bool // the daemon may have seen the line
}

type reply struct {
	result json.RawMessage
	err    error
}

func newConn(nc net.Conn) *conn {
	c := &conn{
		nc:      nc,
		out:     make(chan outgoing, 16),
		slots:   make(chan struct{}, maxInFlight),
		done:    make(chan struct{}),
		pending: map[int64]*pending{},
	}
	go c.read()
	go c.write()
	return c
}

func (c *conn) alive() bool {
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// fail ends the connection; only the first reason counts.
func (c *conn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	close(c.done)
	_ = c.nc.Close() // nothing is left to say to the peer
}

// reason is why the connection ended, once done is closed.
func (c *conn) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.Is(c.err, ErrClosed) {
		return ErrClosed
	}
	return &ConnError{Op: "wait", Err: c.err}
}

func (c *conn) write() {
	for {
		select {
		case <-c.done:
			return
		case out := <-c.out:
			out.call.setSent(true)
			if _, err := c.nc.Write(out.line); err != nil {
				out.call.setSent(false)
				c.fail(err)
				return
			}
		}
	}
}

func (c *conn) read() {
	in := bufio.NewReaderSize(c.nc, 64<<10)
	for {
		line, err := readLine(in)
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			c.fail(err)
			return
		}
		if len(line) > 1 {
			c.dispatch(line)
		}
	}
}

func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if err != bufio.ErrBufferFull {
			return line, err
		}
		if len(line) > maxReply {
			return nil, errors.New("the daemon's line is too long")
		}
	}
}

type incoming struct {
	ID     *int64          `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code    int             `json:"code"`
		Message string          `json:"message"`
		Data    json.RawMessage `json:"data"`
	} `json:"error"`
}

func (c *conn) dispatch(line []byte) {
	var in incoming
	if err := json.Unmarshal(line, &in); err != nil {
		c.fail(errors.New("the daemon sent a line that is not JSON-RPC"))
		return
	}
	if in.Method != "" {
		c.notified(in)
		return
	}
	answer := reply{result: in.Result}
	if in.Error != nil {
		answer.err = &Error{Code: in.Error.Code, Message: in.Error.Message, Data: in.Error.Data}
	}
	if in.ID == nil {
		// A line that the daemon could not read: it can't say whose. checkLine keeps that from
		// happening; if it does, no call may wait for ever.
		c.answerAll(answer)
		return
	}
	if call := c.take(*in.ID); call != nil {
		call.reply <- answer
	}
}

func (c *conn) answerAll(answer reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, call := range c.pending {
		delete(c.pending, id)
		<-c.slots
		call.reply <- answer
	}
}

func (c *conn) notified(in incoming) {
	event, id, ok := parseEvent(in.Method, in.Params)
	if !ok {
		return
	}
	c.mu.Lock()
	call := c.pending[id]
	c.mu.Unlock()
	if call != nil {
		call.push(event)
	}
}

func (c *conn) add(call *pending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending[call.id] = call
}

// take removes a call and gives its slot back; nil if it is not pending.
func (c *conn) take(id int64) *pending {
	c.mu.Lock()
	defer c.mu.Unlock()
	call := c.pending[id]
	if call != nil {
		delete(c.pending, id)
		<-c.slots
	}
	return call
}

// push queues an event. One that finds the queue full is lost, as the contract has it for a slow
// reader: a gap in seq, the response is complete all the same.
func (p *pending) push(event Event) {
	p.mu.Lock()
	if p.wants && len(p.events) < maxQueued {
		p.events = append(p.events, event)
	}
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *pending) drain() []Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	events := p.events
	p.events = nil
	return events
}

// abandon lets later events go; the response is still awaited, for its slot.
func (p *pending) abandon() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wants, p.events = false, nil
}

func (p *pending) setSent(sent bool) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = sent
}

func (p *pending) wasSent() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent
}
