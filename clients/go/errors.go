package plm

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Error codes of the wire contract.
const (
	CodeParseError          = -32700
	CodeInvalidRequest      = -32600
	CodeMethodNotFound      = -32601
	CodeInvalidParams       = -32602
	CodeInternalError       = -32603
	CodeOverloaded          = 1001
	CodeDeadlineExceeded    = 1002
	CodeContextLength       = 1003
	CodeSchemaUnsupported   = 1004
	CodeModelNotReady       = 1005
	CodeShuttingDown        = 1006
	CodeOutOfMemory         = 1007
	CodePermissionDenied    = 1008
	CodeMessageTooLarge     = 1009
	CodeCancelled           = 1010
	CodeCacheError          = 1011
	CodeUnsupportedProtocol = 1012
	CodeTemplateError       = 1013
	CodeOutputInvalid       = 1014
)

// Error is what the daemon refused a call with. errors.Is matches it with the Err values below by
// code.
type Error struct {
	Code    int
	Message string          // begins with the name
	Data    json.RawMessage // as the contract says for the code; may be nil
}

// Targets for errors.Is.
var (
	ErrInvalidParams     = &Error{Code: CodeInvalidParams}
	ErrMethodNotFound    = &Error{Code: CodeMethodNotFound}
	ErrOverloaded        = &Error{Code: CodeOverloaded}
	ErrDeadlineExceeded  = &Error{Code: CodeDeadlineExceeded}
	ErrContextLength     = &Error{Code: CodeContextLength}
	ErrSchemaUnsupported = &Error{Code: CodeSchemaUnsupported}
	ErrModelNotReady     = &Error{Code: CodeModelNotReady}
	ErrShuttingDown      = &Error{Code: CodeShuttingDown}
	ErrMessageTooLarge   = &Error{Code: CodeMessageTooLarge}
	ErrCancelled         = &Error{Code: CodeCancelled}
	ErrOutputInvalid     = &Error{Code: CodeOutputInvalid}
)

func (e *Error) Error() string { return e.Message }

// Is reports whether target is an *Error of the same code.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && other.Code == e.Code
}

// Name is the error's snake_case name, e.g. "context_length_exceeded".
func (e *Error) Name() string {
	name, _, _ := strings.Cut(e.Message, ":")
	return name
}

// Path is the member of the params that the daemon objects to, where it says so.
func (e *Error) Path() string { return e.data().Path }

// RetryAfter is how long an overloaded daemon asks to wait.
func (e *Error) RetryAfter() time.Duration {
	return time.Duration(e.data().RetryAfterMS) * time.Millisecond
}

type errorData struct {
	Path         string `json:"path"`
	RetryAfterMS int64  `json:"retry_after_ms"`
}

func (e *Error) data() (data errorData) {
	_ = json.Unmarshal(e.Data, &data) // what isn't there stays zero
	return data
}

// ConnError is a connection that could not be made, or that ended before the answer came.
type ConnError struct {
	Op  string // "connect" or "wait"
	Err error
}

func (e *ConnError) Error() string {
	if e.Op == "connect" {
		return fmt.Sprintf("plm: cannot reach plmd: %v", e.Err)
	}
	return fmt.Sprintf("plm: plmd closed the connection before it answered: %v", e.Err)
}

func (e *ConnError) Unwrap() error { return e.Err }
