package terms

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Money is an amount in ten-thousandths of its currency's unit, never negative.
type Money int64

// maxMoney bounds an amount, so that the models' sums over a year stay within
// 64 bits.
const maxMoney Money = 10_000_000_000 * 10_000

// String is the decimal with four places: 1234.5000.
func (m Money) String() string { return fmt.Sprintf("%d.%04d", int64(m)/10_000, int64(m)%10_000) }

// parseMoney reads a plain decimal with a dot and up to four places.
func parseMoney(text string) (Money, error) {
	if strings.HasPrefix(text, "-") {
		return 0, errors.New("is negative; a term is money paid")
	}
	parts := regexp.MustCompile(`^(\d{1,12})(?:\.(\d{1,4}))?$`).FindStringSubmatch(text)
	if parts == nil {
		return 0, errors.New("is not a number like 1234.50: digits, a dot, up to four places, and no separators or signs")
	}
	n, err := strconv.ParseInt(parts[1]+(parts[2] + "0000")[:4], 10, 64)
	if err != nil {
		return 0, err
	}
	if Money(n) > maxMoney {
		return 0, fmt.Errorf("is more than %s", maxMoney)
	}
	return Money(n), nil
}
