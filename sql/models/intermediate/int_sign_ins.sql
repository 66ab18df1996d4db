-- Grain: one row per tenant, user and service of the successful sign-ins; a null service for all other applications.
select
  tenant_id,
  user_id,
  service,
  max(signed_in_at) as last_successful_at,
  max(case when is_interactive or {{ var('count_non_interactive_sign_ins') }} then signed_in_at end) as last_counted_at
from {{ ref('stg_sign_ins') }}
where is_successful and user_id is not null
group by 1, 2, 3
