-- Grain: one row per user of the tenant's current snapshot.
with signed_in as (
  select tenant_id, user_id, max(last_successful_at) as last_successful_at
  from {{ ref('int_sign_ins') }}
  group by 1, 2
),

-- Whether users carry signInActivity, which needs its own permission and licence.
tenants as (
  select
    u.tenant_id,
    u.logical_date,
    u.observed_through,
    not (u.state = 'partial' and coalesce(lower(u.reason) like '%signinactivity%', false)) as has_sign_in_activity,
    s.is_measured as has_sign_ins,
    s.observed_through as sign_ins_observed_through
  from {{ ref('int_coverage') }} as u
  join {{ ref('int_coverage') }} as s on s.tenant_id = u.tenant_id and s.table_name = 'graph_sign_ins'
  where u.table_name = 'graph_users' and u.is_measured
),

seen as (
  select
    u.*,
    t.has_sign_in_activity,
    t.has_sign_ins,
    t.observed_through,
    t.sign_ins_observed_through,
    case when t.has_sign_in_activity then u.last_successful_sign_in_at end as from_activity,
    case when t.has_sign_ins then s.last_successful_at end as from_sign_ins
  from {{ ref('stg_users') }} as u
  join tenants as t on t.tenant_id = u.tenant_id and t.logical_date = u.snapshot_date
  left join signed_in as s on s.tenant_id = u.tenant_id and s.user_id = u.user_id
)

select
  tenant_id,
  snapshot_date as as_of_date,
  user_id,
  user_principal_name,
  upn_key,
  mail,
  given_name,
  surname,
  account_enabled,
  is_guest,
  job_title,
  department,
  company,
  country,
  account_created_date,
  on_premises_sync,
  case
    when from_activity is null or from_sign_ins > from_activity then from_sign_ins
    else from_activity
  end as last_sign_in_at,
  case
    when has_sign_in_activity then observed_through
    when has_sign_ins then sign_ins_observed_through
  end as sign_in_observed_through,
  case
    when has_sign_in_activity then 'complete'
    when has_sign_ins then 'partial'
    else 'none'
  end as sign_in_evidence,
  case when has_sign_in_activity then last_sign_in_attempt_at end as last_sign_in_attempt_at,
  employee_id,
  manager_id
from seen
