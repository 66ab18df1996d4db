package graph

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"golang.org/x/oauth2"
	"software.sslmate.com/src/go-pkcs12"
)

// Certificate is the credential of an application that has a certificate. It is
// never sent: it signs a statement that names it by its hash.
type Certificate struct {
	leaf *x509.Certificate
	key  *rsa.PrivateKey
}

// ParseCertificate reads a certificate with its private key, from PEM or from PFX
// (PKCS #12). The password is the PFX's; PEM has none. Other certificates in the
// file are passed over. No error quotes the file.
func ParseCertificate(file []byte, password string) (*Certificate, error) {
	var key crypto.PrivateKey
	var certificates []*x509.Certificate
	var err error
	if block, _ := pem.Decode(file); block != nil {
		key, certificates, err = parsePEM(file)
	} else {
		key, certificates, err = parsePFX(file, password)
	}
	if err != nil {
		return nil, err
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("the private key is not RSA; Entra takes no other kind")
	}
	for _, leaf := range certificates {
		if private.PublicKey.Equal(leaf.PublicKey) {
			return &Certificate{leaf, private}, nil
		}
	}
	return nil, errors.New("holds no certificate that belongs to its private key")
}

func parsePEM(file []byte) (key crypto.PrivateKey, certificates []*x509.Certificate, err error) {
	for rest := file; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch block.Type {
		case "CERTIFICATE":
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, nil, errors.New("a certificate in it is damaged")
			}
			certificates = append(certificates, c)
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			if block.Headers["DEK-Info"] != "" {
				return nil, nil, errEncryptedPEM
			}
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return nil, nil, errEncryptedPEM
		}
		if err != nil {
			return nil, nil, errors.New("the private key in it is damaged")
		}
	}
	if key == nil {
		return nil, nil, errors.New("holds no private key; the certificate alone cannot sign")
	}
	return key, certificates, nil
}

var errEncryptedPEM = errors.New("the private key in it is encrypted; PEM is taken in the clear only: " +
	"use a PFX file with its password, or decrypt the key (openssl pkey) into a file that only you may read")

func parsePFX(file []byte, password string) (crypto.PrivateKey, []*x509.Certificate, error) {
	key, leaf, chain, err := pkcs12.DecodeChain(file, password)
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return nil, nil, errors.New("the password does not open it")
	case err != nil:
		return nil, nil, errors.New("is neither PEM nor a PFX file with one private key")
	}
	return key, append([]*x509.Certificate{leaf}, chain...), nil
}

// String keeps the key out of prints.
func (c *Certificate) String() string { return "certificate" }

// Expires is when Entra stops to take it.
func (c *Certificate) Expires() time.Time { return c.leaf.NotAfter }

func (c *Certificate) check(config *Config) error {
	var missing error
	if c == nil || c.key == nil {
		missing = errors.New("certificate is missing")
	}
	return errors.Join(needClientID(config), missing)
}

func (c *Certificate) ask(ctx context.Context, t *tokens) (*oauth2.Token, error) {
	now := t.client.config.Now()
	if now.After(c.leaf.NotAfter) || now.Before(c.leaf.NotBefore) {
		return nil, fmt.Errorf("the certificate is valid from %s to %s only: configure one that is valid today, and upload its public part to the application",
			c.leaf.NotBefore.UTC().Format(time.DateOnly), c.leaf.NotAfter.UTC().Format(time.DateOnly))
	}
	assertion, err := c.assertion(t.client.config.ClientID, t.client.login.token.String(), now)
	if err != nil {
		return nil, err
	}
	return t.assert(ctx, assertion)
}

// assertionLife is within the ten minutes that Entra recommends at most.
const assertionLife = 10 * time.Minute

// assertion is the statement that the certificate's owner is the application.
func (c *Certificate) assertion(clientID, tokenURL string, now time.Time) (string, error) {
	statement := jwt.NewWithClaims(jwt.SigningMethodPS256, jwt.MapClaims{
		"aud": tokenURL, "iss": clientID, "sub": clientID, "jti": uuid.NewString(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	})
	hash := sha256.Sum256(c.leaf.Raw)
	statement.Header["x5t#S256"] = base64.RawURLEncoding.EncodeToString(hash[:])
	signed, err := statement.SignedString(c.key)
	if err != nil {
		return "", fmt.Errorf("sign with the certificate's key: %w", err)
	}
	return signed, nil
}

func (c *Certificate) advice() string {
	return "check directory id, client id, and that the certificate is among the application's"
}
