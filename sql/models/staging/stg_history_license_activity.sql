-- Grain: one row per tenant, day, SKU and service.
select
  cast(tenant_id as varchar) as tenant_id,
  snapshot_date,
  cast(sku_id as varchar) as sku_id,
  service,
  entitled_users,
  active_users,
  inactive_users,
  never_active_users,
  too_new_users,
  not_measurable_users
from {{ source('lake', 'history_license_activity') }}
