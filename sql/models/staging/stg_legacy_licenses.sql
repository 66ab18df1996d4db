-- Grain: one row per tenant, snapshot date and licence of the user's list.
select
  cast(tenant_id as varchar) as tenant_id,
  snapshot_date,
  line,
  license_id,
  name,
  integration,
  publisher,
  sku,
  lower(sku) as sku_key,
  status,
  quantity,
  purchases
from {{ source('lake', 'legacy_licenses') }}
