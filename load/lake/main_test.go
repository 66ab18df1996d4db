package lake

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain lets the process tests run this binary as one of their children.
func TestMain(m *testing.M) {
	if child, ok := children[os.Getenv("SEATLAKE_LAKE_CHILD")]; ok {
		child()
		return
	}
	goleak.VerifyTestMain(m,
		// The fake of Google's store starts it when it is linked.
		goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"),
		// The stores' libraries keep connections to servers that outlive the tests.
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}
