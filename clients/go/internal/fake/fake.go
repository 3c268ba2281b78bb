// Package fake is a small plmd for tests: the wire, with answers that the test writes.
package fake

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"sync"

	plm "plm.local/clients/go"
)

// Call is a request as the daemon got it.
type Call struct {
	Method    string
	ID        json.RawMessage
	Params    json.RawMessage
	Cancelled chan struct{} // closed by cancel

	once sync.Once
	peer *peer
	seq  map[string]int
}

// Handler answers a call: with a result, or with an error of type *plm.Error.
type Handler func(*Call) (any, error)

// Daemon listens at Path.
type Daemon struct {
	Path    string
	folder  string
	handler Handler

	mu       sync.Mutex
	listener net.Listener
	peers    []*peer
	calls    []*Call
}

// Start listens on a socket of its own.
func Start(handler Handler) (*Daemon, error) {
	folder, err := os.MkdirTemp("", "plm-fake-")
	if err != nil {
		return nil, err
	}
	d := &Daemon{Path: filepath.Join(folder, "plmd.sock"), folder: folder, handler: handler}
	return d, d.Listen()
}

// Listen starts again after Stop.
func (d *Daemon) Listen() error {
	listener, err := net.Listen("unix", d.Path)
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.listener = listener
	d.mu.Unlock()
	go func() {
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			p := &peer{nc: nc, daemon: d, calls: map[string]*Call{}}
			d.mu.Lock()
			d.peers = append(d.peers, p)
			d.mu.Unlock()
			go p.serve()
		}
	}()
	return nil
}

// Stop ends the listener and all connections, as a killed daemon does.
func (d *Daemon) Stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = d.listener.Close() // may be closed already
	for _, p := range d.peers {
		p.end()
	}
	d.peers = nil
}

// Close is Stop for good.
func (d *Daemon) Close() {
	d.Stop()
	_ = os.RemoveAll(d.folder) // only a temporary folder
}

// Calls are those that came, in order.
func (d *Daemon) Calls() []*Call {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]*Call(nil), d.calls...)
}

// Connections counts those that are or were.
func (d *Daemon) Connections() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.peers)
}

type peer struct {
	nc     net.Conn
	daemon *Daemon

	mu    sync.Mutex
	calls map[string]*Call
}

// end closes the connection and cancels what was in flight.
func (p *peer) end() {
	_ = p.nc.Close() // the other side may have been faster
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, call := range p.calls {
		call.Cancel()
	}
}

// Cancel ends a call as `cancel` does.
func (c *Call) Cancel() { c.once.Do(func() { close(c.Cancelled) }) }

func (p *peer) serve() {
	defer p.end()
	in := bufio.NewScanner(p.nc)
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		call := &Call{Cancelled: make(chan struct{}), peer: p}
		if json.Unmarshal(in.Bytes(), call) != nil {
			p.send(map[string]any{"jsonrpc": "2.0", "id": nil,
				"error": map[string]any{"code": -32700, "message": "parse_error: not JSON"}})
			continue
		}
		if call.Method == "$/cancelRequest" {
			p.cancel(call.Params)
			continue
		}
		p.begin(call)
		go p.answer(call)
	}
}

func (p *peer) begin(call *Call) {
	p.daemon.mu.Lock()
	p.daemon.calls = append(p.daemon.calls, call)
	p.daemon.mu.Unlock()
	p.mu.Lock()
	p.calls[string(call.ID)] = call
	p.mu.Unlock()
}

func (p *peer) cancel(params json.RawMessage) {
	var about struct{ ID json.RawMessage }
	_ = json.Unmarshal(params, &about) // a bad id is nobody's
	p.mu.Lock()
	defer p.mu.Unlock()
	if call := p.calls[string(about.ID)]; call != nil {
		call.Cancel()
	}
}

func (p *peer) answer(call *Call) {
	result, err := p.daemon.handler(call)
	p.mu.Lock()
	delete(p.calls, string(call.ID))
	p.mu.Unlock()
	message := map[string]any{"jsonrpc": "2.0", "id": call.ID}
	if err == nil {
		message["result"] = result
	} else {
		refusal, ok := err.(*plm.Error)
		if !ok {
			refusal = &plm.Error{Code: plm.CodeInternalError, Message: "internal_error: " + err.Error()}
		}
		message["error"] = map[string]any{"code": refusal.Code, "message": refusal.Message, "data": refusal.Data}
	}
	p.send(message)
}

func (p *peer) send(message any) {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(message); err != nil {
		panic(err) // the test wrote it
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = p.nc.Write(line.Bytes()) // the reader may have left
}

// Decode reads the params.
func (c *Call) Decode() map[string]any {
	params := map[string]any{}
	_ = json.Unmarshal(c.Params, &params) // tests look at what is there
	return params
}

// Token sends a notification with text.
func (c *Call) Token(text string) {
	c.notify("token", map[string]any{"text": text, "tokens": []int{1}})
}

// Lose skips a token, as the daemon does for a slow reader.
func (c *Call) Lose() { c.seq["token"]++ }

// Progress sends one about prefill.
func (c *Call) Progress(done, total int) {
	c.notify("progress", map[string]any{"phase": "prefill", "done": done, "total": total})
}

func (c *Call) notify(method string, params map[string]any) {
	if c.seq == nil {
		c.seq = map[string]int{}
	}
	params["id"], params["seq"] = c.ID, c.seq[method]
	c.seq[method]++
	c.peer.send(map[string]any{"jsonrpc": "2.0", "method": method, "params": params})
}

// Text is a result with text only.
func Text(text string) map[string]any { return Result(text, "stop") }

// Result is one with text, a finish reason and calls.
func Result(text any, finish string, calls ...plm.Call) map[string]any {
	if calls == nil {
		calls = []plm.Call{}
	}
	return map[string]any{
		"calls": calls, "content": text, "finish_reason": finish,
		"usage": map[string]any{"prompt_tokens": 100, "cached_tokens": 64, "completion_tokens": 7,
			"forced_tokens": 2, "steps": 5, "total_tokens": 107},
		"timing": map[string]any{"total_ms": 1.5},
		"cache":  map[string]any{"key": "00", "hit_tokens": 64, "source": "ram"},
		"model":  "fake", "seed": 7,
	}
}
