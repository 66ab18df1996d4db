-- At risk, availability and status follow from consumed and entitlements.
select *
from {{ ref('hybrid_positions') }}
where availability <> entitlements - consumed
  or (compliance_status = 'At risk' and (at_risk <= 0 or at_risk <> consumed - entitlements))
  or (compliance_status = 'Compliant' and (at_risk <> 0 or consumed > entitlements))
  or (compliance_status in ('Unknown', 'Not tracked') and at_risk is not null)
  or (compliance_status in ('Unknown', 'Not tracked')) <> (status_reason is not null)
