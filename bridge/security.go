package bridge

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/mqtt"
)

// Reach is how the broker of a configuration is reached.
func Reach(m config.MQTT) (mqtt.Config, error) {
	password, err := m.Secret()
	if err != nil {
		return mqtt.Config{}, err
	}
	security, err := tlsConfig(m)
	if err != nil {
		return mqtt.Config{}, err
	}
	return mqtt.Config{Server: m.Server, Username: m.Username, Password: password, ClientID: m.ClientID, TLS: security}, nil
}

// tlsConfig is how the broker is trusted, and how we identify ourselves; nil
// where the configuration says nothing of it.
func tlsConfig(m config.MQTT) (*tls.Config, error) {
	if m.CAFile == "" && m.CertFile == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if m.CAFile != "" {
		pool, err := authorities("mqtt.ca_file", m.CAFile, x509.NewCertPool())
		if err != nil {
			return nil, err
		}
		c.RootCAs = pool
	}
	if m.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(m.CertFile, m.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("mqtt.cert_file: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// mediaTLS is how https addresses are trusted: as this machine does, and by
// the authorities that the configuration adds.
func mediaTLS(m config.Media) (*tls.Config, error) {
	if m.CAFile == "" {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if pool, err = authorities("media.ca_file", m.CAFile, pool); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}, nil
}

// authorities adds the certificates in a file to a pool.
func authorities(key, path string, pool *x509.CertPool) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: %s holds no certificate in PEM form", key, path)
	}
	return pool, nil
}
