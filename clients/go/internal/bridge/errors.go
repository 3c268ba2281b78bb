package bridge

import (
	"errors"
	"math"
	"net/http"
	"strconv"

	plm "plm.local/clients/go"
)

// refusal is an answer that is not 200. PicoClaw reads only the first bytes of the body and looks for
// phrases: the message comes first in the JSON, and its phrase first in the message.
type refusal struct {
	status  int
	message string
	kind    string
	code    string
	param   string
}

func (r *refusal) Error() string { return r.message }

func invalid(message string) *refusal {
	return &refusal{http.StatusBadRequest, "invalid_request: " + message, "invalid_request_error", "invalid_request", ""}
}

func forbidden(message string) *refusal {
	return &refusal{http.StatusForbidden, "forbidden: " + message, "permission_error", "forbidden", ""}
}

var statuses = map[int]int{
	plm.CodeInvalidParams:     http.StatusBadRequest,
	plm.CodeParseError:        http.StatusBadRequest,
	plm.CodeOverloaded:        http.StatusTooManyRequests,
	plm.CodeDeadlineExceeded:  http.StatusGatewayTimeout,
	plm.CodeContextLength:     http.StatusBadRequest,
	plm.CodeSchemaUnsupported: http.StatusBadRequest,
	plm.CodeModelNotReady:     http.StatusServiceUnavailable,
	plm.CodeShuttingDown:      http.StatusServiceUnavailable,
	plm.CodeOutOfMemory:       http.StatusServiceUnavailable,
	plm.CodePermissionDenied:  http.StatusForbidden,
	plm.CodeMessageTooLarge:   http.StatusRequestEntityTooLarge,
	plm.CodeCancelled:         http.StatusServiceUnavailable,
	plm.CodeTemplateError:     http.StatusBadRequest,
}

// refuse maps any error to an answer.
func refuse(err error) *refusal {
	var already *refusal
	var refused *plm.Error
	var broken *plm.ConnError
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &already):
		return already
	case errors.As(err, &tooLong):
		return tooLarge()
	case errors.As(err, &refused):
		return refuseAsDaemon(refused)
	case errors.As(err, &broken):
		return &refusal{http.StatusServiceUnavailable, "daemon_unavailable: " + err.Error(), "server_error", "daemon_unavailable", ""}
	}
	return invalid(err.Error())
}

func tooLarge() *refusal {
	return &refusal{http.StatusRequestEntityTooLarge, "context_length_exceeded: request too large",
		"invalid_request_error", "context_length_exceeded", ""}
}

func refuseAsDaemon(e *plm.Error) *refusal {
	if e.Code == plm.CodeMessageTooLarge {
		return tooLarge()
	}
	status, known := statuses[e.Code]
	if !known {
		status = http.StatusInternalServerError
	}
	kind := "server_error"
	if status < http.StatusInternalServerError {
		kind = "invalid_request_error"
	}
	if e.Code == plm.CodeOverloaded {
		kind = "rate_limit_error"
	}
	return &refusal{status, e.Message, kind, e.Name(), e.Path()}
}

func (b *Bridge) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		b.logf("%s %s: the client left", r.Method, r.URL.Path)
		return
	}
	refused := refuse(err)
	b.logf("%s %s: %d %s", r.Method, r.URL.Path, refused.status, refused.message)
	if refused.status == http.StatusTooManyRequests || refused.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter(err))
	}
	reply(w, refused.status, struct {
		Error any `json:"error"`
	}{struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    string  `json:"code"`
	}{refused.message, refused.kind, nullable(refused.param), refused.code}})
}

func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func retryAfter(err error) string {
	var e *plm.Error
	seconds := 1.0
	if errors.As(err, &e) {
		seconds = max(1, math.Ceil(e.RetryAfter().Seconds()))
	}
	return strconv.FormatFloat(seconds, 'f', 0, 64)
}
