package bridge

import (
	"bytes"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	plm "plm.local/clients/go"
)

const (
	patience     = 500 * time.Millisecond // before the status is sent although nothing is known
	writeTimeout = time.Minute            // a client that takes nothing for so long has left
)

// sse writes server-sent events. The status waits for a sign of work, so that what the daemon refuses
// at once gets one of its own; then comments keep the connection alive while there is nothing to say.
type sse struct {
	w       http.ResponseWriter
	control *http.ResponseController
	quit    chan struct{}
	ended   chan struct{}

	mu      sync.Mutex
	begun   bool
	stopped bool
	fresh   bool // something was sent since the last comment
	err     error
}

func newSSE(w http.ResponseWriter, every time.Duration) *sse {
	s := &sse{w: w, control: http.NewResponseController(w), quit: make(chan struct{}), ended: make(chan struct{})}
	go s.keepAlive(every)
	return s
}

func (s *sse) keepAlive(every time.Duration) {
	defer close(s.ended)
	wait := min(patience, every)
	for {
		select {
		case <-s.quit:
			return
		case <-time.After(wait):
			s.comment()
			wait = every
		}
	}
}

func (s *sse) comment() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.fresh && !s.stopped {
		s.write([]byte(": keep-alive\n\n"))
	}
	s.fresh = false
}

// progress begins the answer once the daemon works on the request.
func (s *sse) progress(p *plm.Progress) error {
	if p.Phase == "queued" {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begun {
		return s.err
	}
	return s.write([]byte(": keep-alive\n\n"))
}

func (s *sse) send(value any) error {
	var buf bytes.Buffer
	buf.WriteString("data: ")
	encoder := json.NewEncoder(&buf)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	buf.WriteByte('\n')
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh = true
	return s.write(buf.Bytes())
}

func (s *sse) done() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.write([]byte("data: [DONE]\n\n"))
}

// write is called with mu held. After one failure all else is dropped.
func (s *sse) write(bytes []byte) error {
	if s.err != nil {
		return s.err
	}
	if !s.begun {
		s.begun = true
		s.w.Header().Set("Content-Type", "text/event-stream")
		s.w.Header().Set("Cache-Control", "no-cache")
		s.w.WriteHeader(http.StatusOK)
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(writeTimeout)) // not all writers have one
	if _, s.err = s.w.Write(bytes); s.err == nil {
		s.err = s.control.Flush()
	}
	return s.err
}

// stop ends the comments; it reports whether the status has been sent.
func (s *sse) stop() (begun bool) {
	s.mu.Lock()
	if !s.stopped {
		s.stopped = true
		close(s.quit)
	}
	s.mu.Unlock()
	<-s.ended
	_ = s.control.SetWriteDeadline(time.Time{}) // for the connection's next request
	return s.begun
}
