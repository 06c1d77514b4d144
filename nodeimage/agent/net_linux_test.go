package agent

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"squall/nodeimage/agent/protocol"
)

func TestFeaturesInNamespace(t *testing.T) {
	inWorld(t, func() {
		h := newWorld(t, 1)[0]
		f, err := h.Features(context.Background())
		must(t, err)
		for _, name := range []string{protocol.FeatureCut, protocol.FeatureReject, protocol.FeatureQueue, protocol.FeatureRaw} {
			if why, ok := f[name]; !ok || why != "" {
				t.Errorf("%s: %q", name, why)
			}
		}
		if _, ok := f[protocol.FeatureNetem]; !ok {
			t.Errorf("features %v do not tell of netem", f)
		}
		t.Log(f)
	})
}

func TestDelayInNamespace(t *testing.T) {
	inWorld(t, func() {
		w := newWorld(t, 3)
		w[0].net(t, nil, protocol.Shape{To: w[1].addr, Delay: 30 * time.Millisecond})
		sent, heard := w[0].flow(t, 200, 2*time.Millisecond, 0, w[1], w[2])
		t.Logf("%+v\n%+v\n%+v", sent, heard, w[0].counts(t))
		_ = fmt.Sprint
		_ = strings.Join
		_ = netip.Addr{}
	})
}
