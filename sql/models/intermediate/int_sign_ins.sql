-- Grain: one row per tenant, user and service of the successful sign-ins; a null service for all other applications.
-- Sign-ins by a client on the user's behalf are among them only when they count.
with successful as (
  select
    tenant_id,
    user_id,
    service,
    signed_in_at,
    is_interactive or {{ var('count_non_interactive_sign_ins') }} as is_counted
  from {{ ref('stg_sign_ins') }}
  where is_successful and user_id is not null
  union all
  select tenant_id, user_id, service, signed_in_at, true
  from {{ ref('stg_non_interactive_sign_ins') }}
  where is_successful and user_id is not null and {{ var('count_non_interactive_sign_ins') }}
)

select
  tenant_id,
  user_id,
  service,
  max(signed_in_at) as last_successful_at,
  max(case when is_counted then signed_in_at end) as last_counted_at
from successful
group by 1, 2, 3
