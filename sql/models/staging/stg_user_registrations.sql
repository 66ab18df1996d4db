-- Grain: one row per tenant, snapshot date and user.
select
  cast(tenant_id as varchar) as tenant_id,
  snapshot_date,
  cast(id as varchar) as user_id,
  is_mfa_registered
from {{ source('lake', 'graph_user_registration_details') }}
