package lake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"cloud.google.com/go/storage"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/aws/smithy-go"
	"gocloud.dev/gcerrors"
	"google.golang.org/api/googleapi"
)

// errNoBucket is the error of a bucket or container that does not exist.
var errNoBucket = errors.New("there is no such bucket")

// answer is what a store answered: an HTTP status, and what it said with it.
type answer struct {
	status  int
	code    string // the store's word
	message string
	request string // the id by which the store's support finds it
}

// answerOf finds the store's answer in the error of its library. There is none when
// the request did not reach it or its answer was lost. gocloud's own codes are not
// asked where there is an answer: they call a refusal by Google absent, and every S3
// error absent whose text has "301" in it.
func answerOf(err error) (answer, bool) {
	var a answer
	if s3, ok := errors.AsType[interface {
		error
		HTTPStatusCode() int
	}](err); ok {
		a.status = s3.HTTPStatusCode()
		if api, ok := errors.AsType[smithy.APIError](err); ok {
			a.code, a.message = api.ErrorCode(), api.ErrorMessage()
		}
		if id, ok := errors.AsType[interface {
			error
			ServiceRequestID() string
		}](err); ok {
			a.request = id.ServiceRequestID()
		}
		return a, a.status != 0
	}
	if azure, ok := errors.AsType[*azcore.ResponseError](err); ok {
		a.status, a.code = azure.StatusCode, azure.ErrorCode
		if azure.RawResponse != nil {
			a.request = azure.RawResponse.Header.Get("X-Ms-Request-Id")
		}
		return a, a.status != 0
	}
	if google, ok := errors.AsType[*googleapi.Error](err); ok {
		a.status, a.message = google.Code, google.Message
		return a, a.status != 0
	}
	switch {
	case errors.Is(err, storage.ErrBucketNotExist):
		return answer{status: http.StatusNotFound, code: "NoSuchBucket"}, true
	case errors.Is(err, storage.ErrObjectNotExist):
		return answer{status: http.StatusNotFound}, true
	}
	return a, false
}

func (a answer) String() string {
	text := fmt.Sprintf("%d %s", a.status, http.StatusText(a.status))
	if a.code != "" {
		text += ", " + a.code
	}
	if a.message != "" && a.message != a.code {
		text += ": " + oneLine(a.message)
	}
	if a.request != "" {
		text += " (request-id " + a.request + ")"
	}
	return text
}

// diagnose says what kind of failure an error is.
func diagnose(err error) *bucketError {
	e := &bucketError{said: oneLine(err.Error()), cause: err}
	a, answered := answerOf(err)
	if answered && a.status < 300 { // which was cut off, and is answered anew
		e.passing = true
		e.cure = "check the network"
		return e
	}
	if answered {
		e.said = a.String()
		e.judge(a)
		return e
	}
	switch local := (*os.PathError)(nil); {
	case errors.As(err, &local): // of the file that was to be moved
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e.said = "no answer came in time"
		e.passing = true
	case withoutCredentials(e.said):
		e.kind, e.unknown = fs.ErrPermission, true
		e.cure = "no credentials were found: give them in the environment, in the store's own configuration file, or as the machine's identity"
	case errors.As(err, new(*smithy.OperationError)), strings.Contains(e.said, "no such host"):
		e.passing = true
		e.cure = "check the network, and the endpoint in the lake's URL"
	default:
		e.byCode(gcerrors.Code(err))
	}
	return e
}

// judge takes an answer by its status.
func (e *bucketError) judge(a answer) {
	switch {
	case a.code == "NoSuchBucket", a.code == "ContainerNotFound":
		e.kind = errNoBucket
		e.cure = "make the bucket, or name another in the lake's URL"
	case a.status == http.StatusNotFound:
		e.kind = fs.ErrNotExist
	case a.status == http.StatusPreconditionFailed, a.code == "BlobAlreadyExists":
		e.kind = fs.ErrExist
	case a.status == http.StatusConflict && a.code == "ConditionalRequestConflict":
		e.passing = true // another writes the name at this moment
	case a.status == http.StatusMovedPermanently, a.code == "AuthorizationHeaderMalformed", a.code == "PermanentRedirect":
		e.cure = "the bucket is in another region: name it in the lake's URL (?region=eu-central-1), or another endpoint"
	case a.status == http.StatusUnauthorized, a.code == "InvalidAccessKeyId", a.code == "SignatureDoesNotMatch",
		a.code == "ExpiredToken", a.code == "InvalidToken", a.code == "AuthenticationFailed":
		e.kind, e.unknown = fs.ErrPermission, true
		e.cure = "the store does not know these credentials: check the key, its secret, and that neither has expired"
	case a.status == http.StatusForbidden:
		e.kind = fs.ErrPermission
		e.cure = "`seatlake doctor` says which right is missing"
	case a.status == http.StatusRequestTimeout, a.code == "RequestTimeout", a.status == http.StatusTooManyRequests, a.status >= 500:
		e.passing = a.status != http.StatusNotImplemented
		e.cure = "the store is busy or ill: run again later"
	}
}

// byCode takes an error without an answer as gocloud does.
func (e *bucketError) byCode(code gcerrors.ErrorCode) {
	switch code {
	case gcerrors.NotFound:
		e.kind = fs.ErrNotExist
	case gcerrors.FailedPrecondition, gcerrors.AlreadyExists:
		e.kind = fs.ErrExist
	case gcerrors.PermissionDenied:
		e.kind = fs.ErrPermission
	case gcerrors.InvalidArgument, gcerrors.Unimplemented:
	default:
		e.passing = true
	}
}

// withoutCredentials says that the store's library found none, which it says in words
// alone.
func withoutCredentials(said string) bool {
	for _, words := range []string{"get credentials", "no EC2 IMDS role", "DefaultAzureCredential", "could not find default credentials"} {
		if strings.Contains(said, words) {
			return true
		}
	}
	return false
}

// oneLine is a text as one line.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
