-- Grain: one row per tenant and sign-in by a client on a user's behalf.
select
  cast(tenant_id as varchar) as tenant_id,
  event_date,
  cast(id as varchar) as sign_in_id,
  cast(user_id as varchar) as user_id,
  created_date_time as signed_in_at,
  service,
  coalesce(status_error_code = 0, false) as is_successful
from {{ source('lake', 'graph_non_interactive_sign_ins') }}
