package main_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	main "airplay2mqtt/cmd/bridge"
)

// asApp runs the program as an app of Home Assistant.
func asApp(t *testing.T, url, options string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	t.Chdir(t.TempDir())
	file := filepath.Join(t.TempDir(), "options.json")
	if err := os.WriteFile(file, []byte(options), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, err bytes.Buffer
	code = main.MainOfApp(t.Context(), url, file, &out, &err, []string{"SUPERVISOR_TOKEN=t0ken"}, args...)
	return code, out.String(), err.String()
}

// supervisor answers as Home Assistant's does.
func supervisor(t *testing.T, status int, answer string) (url string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/services/mqtt" || r.Header.Get("Authorization") != "Bearer t0ken" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

const brokerAnswer = `{"result":"ok","data":{"addon":"core_mosquitto","host":"core-mosquitto","port":1883,"ssl":false,"protocol":"3.1.1","username":"addons","password":"geheim-77"}}`

func TestAppGetsItsBrokerFromTheSupervisor(t *testing.T) {
	url := supervisor(t, http.StatusOK, brokerAnswer)
	code, out, stderr := asApp(t, url, `{"log":{"level":"warn"},"devices":[{"name":"Kitchen","host":"10.0.0.5","port":5000}],"limits":{"commands":["chime","stop"]}}`, "check")
	if code != 0 || !strings.Contains(out, "mqtt://core-mosquitto:1883") || !strings.Contains(out, "1 configured") {
		t.Errorf("got exit %d, %s%s", code, out, stderr)
	}
	if strings.Contains(out+stderr, "geheim-77") || strings.Contains(out+stderr, "t0ken") {
		t.Error("a secret is shown")
	}
}

func TestBrokerOfTheConfigurationGoesFirst(t *testing.T) {
	code, out, stderr := asApp(t, "http://127.0.0.1:1", `{"mqtt":{"server":"mqtt://nas:1883"},"groups":[]}`, "check")
	if code != 0 || !strings.Contains(out, "mqtt://nas:1883") {
		t.Errorf("got exit %d, %s%s", code, out, stderr)
	}
}

func TestMistakesInOptionsAreTold(t *testing.T) {
	for options, want := range map[string]string{
		`{"log":{"level":"loud"}}`:                       `AIRPLAY2MQTT_LOG_LEVEL: log.level: "loud" is not one of`,
		`{"limits":{"commands":["chme"]}}`:               `did you mean "chime"?`,
		`{"devices":[{"name":"A","host":"x","port":0}]}`: "port: is missing",
		`{"color":"red"}`:                                "AIRPLAY2MQTT_COLOR: unknown variable",
		`{"log":`:                                        "options.json: unexpected end",
	} {
		code, _, stderr := asApp(t, supervisor(t, http.StatusOK, brokerAnswer), options, "check")
		if code != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%s: got exit %d and %s, want 1 and %s", options, code, stderr, want)
		}
	}
}
