-- Grain: one row per tenant, user, SKU and day of a change.
select
  cast(tenant_id as varchar) as tenant_id,
  snapshot_date,
  cast(user_id as varchar) as user_id,
  cast(sku_id as varchar) as sku_id,
  is_held,
  assigned_by
from {{ source('lake', 'history_user_licenses') }}
