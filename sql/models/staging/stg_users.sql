-- Grain: one row per tenant, snapshot date and user.
select
  cast(tenant_id as varchar) as tenant_id,
  snapshot_date,
  cast(id as varchar) as user_id,
  user_principal_name,
  lower(user_principal_name) as upn_key,
  mail,
  given_name,
  surname,
  account_enabled,
  coalesce(user_type = 'Guest', lower(user_principal_name) like '%#ext#%', false) as is_guest,
  job_title,
  department,
  company_name as company,
  country,
  cast(created_date_time as date) as account_created_date,
  case
    when on_premises_sync_enabled then 'synced'
    when not on_premises_sync_enabled then 'was_synced'
    else 'cloud_only'
  end as on_premises_sync,
  last_successful_sign_in_date_time as last_successful_sign_in_at,
  -- A sign-in that failed is an attempt too, and so are all from before successes were told apart.
  case
    when last_sign_in_date_time is null or last_non_interactive_sign_in_date_time > last_sign_in_date_time
      then last_non_interactive_sign_in_date_time
    else last_sign_in_date_time
  end as last_sign_in_attempt_at,
  employee_id,
  cast(manager_id as varchar) as manager_id
from {{ source('lake', 'graph_users') }}
