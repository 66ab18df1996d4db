-- Grain: one row per tenant, user and day of a change.
select
  cast(tenant_id as varchar) as tenant_id,
  snapshot_date,
  cast(user_id as varchar) as user_id,
  is_present,
  account_enabled
from {{ source('lake', 'history_users') }}
