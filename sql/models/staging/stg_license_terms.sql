-- Grain: one row per tenant, snapshot date and term (line of the user's file).
select
  cast(tenant_id as varchar) as tenant_id,
  snapshot_date,
  line,
  purchase_id,
  sku,
  lower(sku) as sku_key,
  quantity,
  cast(amount as decimal(18, 4)) as amount,
  cast(unit_amount as decimal(18, 4)) as unit_amount,
  cast(fees as decimal(18, 4)) as fees,
  currency,
  payment_frequency,
  effective_date,
  ending_date,
  vendor,
  contract,
  cost_centre
from {{ source('lake', 'license_terms') }}
