package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"seatlake/pipeline"
)

// The permissions that writing takes.
const (
	WriteLicenses = "LicenseAssignment.ReadWrite.All" // AssignLicense
	WriteMembers  = "GroupMember.ReadWrite.All"       // RemoveMember and AddMember
)

// Writer is a client that may also write: assignLicense of one user, and the members
// of one group. No other write is sent, and no other client sends any.
type Writer struct{ *Client }

// NewWriter is New with the right to write.
func NewWriter(c Config) (*Writer, error) {
	client, err := newClient(c, true)
	if err != nil {
		return nil, err
	}
	return &Writer{client}, nil
}

// The writes that pass, by method and path behind the version.
var writes = []struct {
	method string
	path   *regexp.Regexp
}{
	{http.MethodPost, regexp.MustCompile(`^/v1\.0/users/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/assignLicense$`)},
	{http.MethodDelete, regexp.MustCompile(`^/v1\.0/groups/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/members/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/\$ref$`)},
	{http.MethodPost, regexp.MustCompile(`^/v1\.0/groups/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/members/\$ref$`)},
}

// isWrite says that the request is one of those of a Writer at this root.
func isWrite(req *http.Request, root *url.URL) bool {
	path, ok := strings.CutPrefix(req.URL.Path, root.Path)
	return ok && sameOrigin(req.URL, root) && req.URL.RawQuery == "" && slices.ContainsFunc(writes, func(w struct {
		method string
		path   *regexp.Regexp
	}) bool {
		return w.method == req.Method && w.path.MatchString(path)
	})
}

// UnansweredError is the error of a write that was sent, and of which nobody knows
// whether it was done. A read tells.
type UnansweredError struct {
	text string
}

func (e *UnansweredError) Error() string { return e.text }

// Write is a request that a Writer sends.
type Write struct {
	Method string
	Path   string // behind the root
	Body   any    // nil for none; else what JSON makes of it
}

// AssignLicense is the request that takes SKUs from a user, and gives others, in one
// step. Graph wants both lists even when empty.
func AssignLicense(userID string, add []License, remove []string) Write {
	body := struct {
		Add    []wireLicense `json:"addLicenses"`
		Remove []string      `json:"removeLicenses"`
	}{[]wireLicense{}, append([]string{}, remove...)}
	for _, l := range add {
		body.Add = append(body.Add, wireLicense{SkuID: l.SKU, DisabledPlans: append([]string{}, l.Disabled...)})
	}
	return Write{http.MethodPost, "/v1.0/users/" + userID + "/assignLicense", body}
}

// RemoveMember is the request that takes a user out of a group.
func RemoveMember(groupID, userID string) Write {
	return Write{http.MethodDelete, "/v1.0/groups/" + groupID + "/members/" + userID + "/$ref", nil}
}

// AddMember is the request that puts a user into a group of the cloud with this root.
func (c *Client) AddMember(groupID, userID string) Write {
	return Write{http.MethodPost, "/v1.0/groups/" + groupID + "/members/$ref", map[string]string{
		"@odata.id": c.root.String() + "/v1.0/directoryObjects/" + userID,
	}}
}

// Send sends one write. A 429 says that nothing was done, so it is sent again once
// Graph lets it. Any other refusal is an *Error, and a write whose answer did not
// come, or does not say what was done, an *UnansweredError: it is never sent again
// blindly.
func (w *Writer) Send(ctx context.Context, write Write) error {
	u, err := url.Parse(w.root.String() + write.Path)
	if err != nil {
		return err
	}
	var body []byte
	if write.Body != nil {
		if body, err = json.Marshal(write.Body); err != nil {
			return err
		}
	}
	var unanswered error
	err = w.try(ctx, Event{Source: "write", Page: 1, Request: write.Method + " " + u.RequestURI()}, func(ctx context.Context) error {
		a, err := w.send(ctx, write.Method, u, body)
		if f, ok := errors.AsType[*fault](err); ok {
			unanswered = &UnansweredError{fmt.Sprintf("%s (%s %s)", f.text, write.Method, w.clean(u.Path))}
			return nil
		}
		if err != nil || a.status/100 == 2 {
			return err
		}
		refusal := w.newError(a)
		refusal.Method = write.Method
		if refusal.Hint = ""; refusal.Status == http.StatusForbidden {
			refusal.Hint = "grant " + permissionOf(write) + " to the application, or a role that goes with it to who signed in"
		}
		if refusal.Status >= 500 || refusal.Status == http.StatusRequestTimeout || refusal.foreign {
			unanswered = &UnansweredError{refusal.Error()}
			return nil
		}
		return refusal
	})
	if err == nil {
		err = unanswered
	}
	return err
}

func permissionOf(write Write) string {
	if strings.Contains(write.Path, "/members/") {
		return WriteMembers
	}
	return WriteLicenses
}

// send makes one attempt. Its error is a *fault when the request may have been done.
func (w *Writer) send(ctx context.Context, method string, u *url.URL, body []byte) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body == nil {
		req.Body, req.GetBody = http.NoBody, nil
	} else {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := w.graph.RoundTrip(req)
	if err != nil {
		return nil, w.networkFault(err)
	}
	defer resp.Body.Close()
	a := &answer{
		status: resp.StatusCode, request: u.RequestURI(), path: w.clean(u.Path), requestID: w.clean(resp.Header.Get("request-id")),
		coding: coding(resp.Header.Get("Content-Encoding")), retryAfter: retryAfter(resp, w.config.Now()), observed: w.config.Now().UTC(),
	}
	a.body, err = readBody(resp, maxErrorBody)
	if err != nil && a.status/100 != 2 { // of a good answer the status is enough
		return nil, w.damaged(a, err)
	}
	return a, nil
}

// causeTexts are pieces of Graph's messages. assignLicense gives one code for most
// causes, so that they are told apart by the message, and what fits none is refused.
var causeTexts = []struct {
	text  string
	cause pipeline.Cause
}{
	{"does not have any available licenses", pipeline.CauseNoSeats},
	{"mutually exclusive", pipeline.CauseExclusive},
	{"depends on the service plan", pipeline.CauseDependency},
	{"invalid usage location", pipeline.CauseUsageLocation},
	{"inherited from a group", pipeline.CauseInherited},
	{"does not have a corresponding license", pipeline.CauseNotHeld},
	{"does not correspond to a valid company license", pipeline.CauseUnknownSKU},
	{"references already exist", pipeline.CauseAlreadyMember},
}

// CauseOf says why Graph refused, and false for an error that is no refusal.
func CauseOf(err error) (pipeline.Cause, bool) {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return "", false
	}
	message := strings.ToLower(e.Message)
	for _, c := range causeTexts {
		if strings.Contains(message, c.text) {
			return c.cause, true
		}
	}
	switch e.Status {
	case http.StatusForbidden:
		return pipeline.CauseNoRights, true
	case http.StatusNotFound:
		return pipeline.CauseUnknownUser, true
	}
	return pipeline.CauseRefused, true
}
